//! `hysio app`: the JSON API and the pages (:3000).

use std::sync::Arc;

use clap::Args;
use hysio_infra::{blobs::Blobs, postgres::notify};
use tokio_util::sync::CancellationToken;

use crate::{
    http::app::{App, Parts, router},
    maintenance,
    presence::Presence,
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
    let calls = notify::listen(start::database_config(&config)?, lifecycle.soft.clone());
    let upkeep = tokio::spawn(maintenance::run(
        db.clone(),
        Some(keys.clone()),
        Some(blobs.clone()),
        lifecycle.soft.clone(),
    ));
    let gone = CancellationToken::new();
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
    });
    let served = start::serve(config.http.app, router(app), &lifecycle).await;
    lifecycle.soft.cancel();
    upkeep.await?;
    gone.cancel();
    presence.await?;
    // What the last requests wrote gets its place in the trail too.
    while db.sequence_audit(&keys).await.unwrap_or(0) > 0 {}
    db.close();
    served
}
