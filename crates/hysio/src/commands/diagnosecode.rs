//! `hysio diagnosecode`: diagnosis codes as a service (:8081).

use std::sync::Arc;

use clap::Args;
use hysio_clinical::diagnosecode::Engine;

use crate::{
    http::{
        diagnosecode::{Options, Service, parse_size, router},
        health::{self, Health},
    },
    start::{self, ConfigArgument, Role},
};

#[derive(Debug, Args)]
pub struct Command {
    #[command(flatten)]
    config: ConfigArgument,
}

impl Command {
    pub fn run(self) -> anyhow::Result<()> {
        start::run(&self.config, serve)
    }
}

async fn serve(role: Role) -> anyhow::Result<()> {
    let Role {
        config,
        lifecycle,
        metrics,
    } = role;
    let engine = Engine::open(&config.paths.catalogue())?;
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let workers = match config.diagnosecode.inference_workers {
        0 => cores,
        workers => workers,
    };
    let cache_bytes = parse_size(&config.diagnosecode.model_cache_size).map_err(|error| {
        anyhow::anyhow!("diagnosecode.model_cache_size (MODEL_CACHE_SIZE): {error}")
    })?;
    let service = Service::new(
        Arc::new(engine),
        Options {
            workers,
            cache_bytes,
        },
        None,
    );
    let health = Health::new(
        "diagnosecode",
        metrics,
        lifecycle.soft.clone(),
        Arc::new(|| Box::pin(async { true })),
    );
    let router = router(service).merge(health::router(health));
    start::serve(
        config.http.diagnosecode,
        router,
        &lifecycle,
        config.http.drain_seconds,
    )
    .await
}
