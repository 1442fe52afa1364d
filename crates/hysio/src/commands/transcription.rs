//! `hysio transcription`: the speech engine as a service (:8080).

use std::sync::Arc;

use clap::Args;
use hysio_speech::{Choice, Engine, Folder};

use crate::{
    http::{
        health::{self, Health},
        transcription::{Service, Settings, router},
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
    if start::is_supervised() {
        // On a machine of its own it needs no manners.
        hysio_infra::process::yield_to_others()?;
    }
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let workers = match config.transcription.model_workers {
        0 => (cores / 2).max(1),
        workers => workers,
    };
    let choice: Choice = config
        .transcription
        .model
        .parse()
        .map_err(|error| anyhow::anyhow!("transcription.model: {error}"))?;
    let folder = Folder::new(config.paths.models());
    let engine =
        tokio::task::spawn_blocking(move || Engine::load(folder, choice, (cores / workers).max(1)))
            .await??;
    let settings = Settings {
        model_workers: workers,
        waiting_places: config.transcription.queue_workers,
        body_bytes_max: config.http.upload_bytes_max,
        ..Settings::default()
    };
    let heard = metrics.clone();
    let observer = Arc::new(move |seen: crate::http::transcription::Observation| {
        heard.transcribed(seen.language.code(), None, seen.duration);
    });
    let service = Service::new(Arc::new(engine), settings, observer);
    let health = Health::new(
        "transcription",
        metrics,
        lifecycle.soft.clone(),
        Arc::new(|| Box::pin(async { true })),
    );
    let router = router(service).merge(health::router(health));
    start::serve(
        config.http.transcription,
        router,
        &lifecycle,
        config.http.drain_seconds,
    )
    .await
}
