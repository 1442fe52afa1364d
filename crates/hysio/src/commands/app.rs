//! `hysio app`: the JSON API and the pages (:3000).

use std::sync::Arc;

use clap::Args;
use hysio_infra::{blobs::Blobs, postgres::notify, redis::queues::Queues};
use tokio_util::sync::CancellationToken;

use crate::{
    http::app::{App, Parts, router},
    maintenance,
    presence::Presence,
    queue_relay,
    start::{self, ConfigArgument, Role},
    worker,
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
    let db = start::connect(&config).await?;
    let keys = Arc::new(start::audit_keys(&config)?);
    let blobs = Blobs::open(config.paths.blobs()).await?;
    let calls = notify::listen(start::direct_config(&config)?, lifecycle.soft.clone());
    let upkeep = tokio::spawn(maintenance::run(
        db.clone(),
        Some(keys.clone()),
        Some(blobs.clone()),
        lifecycle.soft.clone(),
    ));
    let cluster = start::redis_cluster(&config)?;
    let cache = start::medical_cache(&config)?;
    let gone = CancellationToken::new();
    let mut beside = tokio::task::JoinSet::new();
    if let Some(cluster) = cluster.clone() {
        let queues = Queues::new(cluster);
        beside.spawn(queue_relay::keep(
            db.clone(),
            queues,
            calls.subscribe(),
            lifecycle.soft.clone(),
        ));
    }
    let presence = Presence {
        service: "app",
        address: Some(config.http.app.to_string()),
        db: db.clone(),
        tally: metrics.tally().clone(),
        draining: lifecycle.soft.clone(),
    };
    let presence = tokio::spawn(presence.keep(gone.clone()));
    let app = App::new(Parts {
        db: db.clone(),
        config: config.clone(),
        blobs,
        codes: worker::code_client(&config)?,
        metrics,
        calls,
        draining: lifecycle.soft.clone(),
        trail: Some(Arc::new(keys.verifying().clone())),
        cluster,
        cache,
    });
    let served = start::serve(
        config.http.app,
        router(app),
        &lifecycle,
        config.http.drain_seconds,
    )
    .await;
    lifecycle.soft.cancel();
    upkeep.await?;
    while beside.join_next().await.is_some() {}
    gone.cancel();
    presence.await?;
    // What the last requests wrote gets its place in the trail too.
    while db.sequence_audit(&keys).await.unwrap_or(0) > 0 {}
    db.close();
    served
}
