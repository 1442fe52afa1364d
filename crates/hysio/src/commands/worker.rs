//! `hysio worker`: takes jobs from the queues.

use std::sync::Arc;

use clap::Args;
use hysio_infra::{postgres::notify, redis::queues::Queues};
use tokio_util::sync::CancellationToken;

use crate::{
    http::health::{self, Health},
    maintenance,
    presence::Presence,
    start::{self, ConfigArgument, Role},
    worker::{Engines, Worker},
};

#[derive(Debug, Args)]
pub struct Command {
    #[command(flatten)]
    config: ConfigArgument,
}

impl Command {
    pub fn run(self) -> anyhow::Result<()> {
        start::run(&self.config, work)
    }
}

async fn work(role: Role) -> anyhow::Result<()> {
    let Role {
        config,
        lifecycle,
        metrics,
    } = role;
    let db = start::connect(&config).await?;
    let engines = Arc::new(Engines::open(&config).await?);
    let calls = notify::listen(start::direct_config(&config)?, lifecycle.soft.clone());
    let upkeep = tokio::spawn(maintenance::run(
        db.clone(),
        None,
        None,
        lifecycle.soft.clone(),
    ));
    let gone = CancellationToken::new();
    let presence = Presence {
        service: "worker",
        address: config.http.worker.map(|address| address.to_string()),
        db: db.clone(),
        tally: metrics.tally().clone(),
        draining: lifecycle.soft.clone(),
    };
    let presence = tokio::spawn(presence.keep(gone.clone()));
    let worker = Worker {
        db: db.clone(),
        engines,
        metrics: metrics.clone(),
        config: config.clone(),
        hints: start::redis_cluster(&config)?.map(Queues::new),
    };
    tracing::info!(queues = ?config.worker.queues, concurrency = config.worker.concurrency, "taking jobs");
    let health = async {
        let Some(address) = config.http.worker else {
            return std::future::pending().await;
        };
        let idle = std::time::Duration::from_secs(config.session.idle_minutes * 60);
        let health =
            Health::with_database("worker", metrics, lifecycle.soft.clone(), db.clone(), idle);
        start::serve(address, health::router(health), &lifecycle, 0).await
    };
    let worked = tokio::select! {
        () = worker.run(&lifecycle, &calls) => Ok(()),
        failed = health => failed,
    };
    lifecycle.soft.cancel();
    upkeep.await?;
    gone.cancel();
    presence.await?;
    db.close();
    worked
}
