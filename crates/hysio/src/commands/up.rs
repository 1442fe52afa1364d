//! `hysio up`: everything on this machine, in one command. This process holds the database and watches the services,
//! which are processes of their own; it ends them in order.

pub mod backups;
pub(crate) mod first;
pub(crate) mod pools;
mod services;

use std::path::Path;

use anyhow::Context as _;
use clap::Args;
use hysio_infra::{
    embedded_postgres::{EmbeddedPostgres, Login, Settings},
    postgres::notify,
};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Config, Secret},
    scaler::policy_files::Current,
    start::{self, ConfigArgument, Role},
};

#[derive(Debug, Args)]
pub struct Command {
    #[command(flatten)]
    config: ConfigArgument,
}

impl Command {
    pub fn run(self) -> anyhow::Result<()> {
        let file = self.config.config.clone();
        start::run(&self.config, move |role| up(role, file))
    }
}

async fn up(role: Role, file: Option<std::path::PathBuf>) -> anyhow::Result<()> {
    let mut config = Config::clone(&role.config);
    say("starting …");
    for address in [
        config.http.app,
        config.http.transcription,
        config.http.diagnosecode,
    ] {
        start::must_become_free(address).await?;
    }
    first::prepare(&config, first::is_new(&config))?;
    let mut postgres = start_database(&mut config).await?;
    let welcome = first::found(&config).await?;
    let db = start::connect(&config).await?;
    if config.scaling.enabled {
        // Bad files that follow good ones stop nothing; the scaler goes on with those. Without any, better to hear of it now.
        Current::in_force(config.scaling.policies.as_deref(), &db).await?;
    }
    let calls = notify::listen(
        start::database_config(&config)?,
        role.lifecycle.soft.clone(),
    );
    let mut pools = pools::Pools::open(&config, file.as_deref(), db, &calls).await?;
    let backups = backups::Backups::start(&config, postgres.is_some());
    let mut services = services::start(&config, file.as_deref())?;
    let outcome = async {
        let run = async {
            tokio::select! {
                () = role.lifecycle.soft.cancelled() => return Ok(()),
                ready = services.wait_until_ready(&config) => ready?,
            }
            welcome.print(&config);
            watch(&mut postgres, &mut services, &role.lifecycle.soft).await
        };
        tokio::select! {
            ended = run => ended,
            given_up = pools.keep() => given_up,
        }
    }
    .await;
    say("stopping: what was begun is finished first …");
    pools.stop(&role.lifecycle.hard).await;
    services.stop(&role.lifecycle.hard).await;
    backups.stop().await;
    if let Some(postgres) = postgres {
        postgres.stop().await?;
    }
    say("stopped. The data is kept; `hysio up` goes on with it.");
    outcome
}

/// The configured database, or a private one of this data directory.
async fn start_database(config: &mut Config) -> anyhow::Result<Option<EmbeddedPostgres>> {
    if config.database.url.is_some() {
        anyhow::ensure!(
            config.database.owner_url.is_some(),
            "database.url is set: set database.owner_url too, so that the schema can be brought up to date"
        );
        return Ok(None);
    }
    let install = absolute(&config.paths.install.join("postgresql"))?;
    let data = absolute(&config.paths.data)?.join("postgres");
    let settings = Settings {
        archive: config.archive()?,
        ..Settings::new(install, data)
    };
    let postgres = EmbeddedPostgres::start(settings).await?;
    config.database.url = Some(Secret::new(postgres.connection_string(Login::Application)));
    config.database.owner_url = Some(Secret::new(postgres.connection_string(Login::Owner)));
    Ok(Some(postgres))
}

fn absolute(path: &Path) -> anyhow::Result<std::path::PathBuf> {
    std::path::absolute(path).with_context(|| format!("{} is no path", path.display()))
}

/// Goes on until asked to end. A database that dies is started again; its clients come back by themselves.
async fn watch(
    postgres: &mut Option<EmbeddedPostgres>,
    services: &mut services::Services,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            given_up = services.watch() => return given_up,
            () = database_ended(postgres) => {
                tracing::error!("the database has ended; starting it again");
                if let Some(postgres) = postgres {
                    postgres.restart().await?;
                    tracing::info!("the database is back");
                }
            }
        }
    }
}

async fn database_ended(postgres: &mut Option<EmbeddedPostgres>) {
    match postgres {
        Some(postgres) => {
            let _ = postgres.ended().await;
        }
        None => std::future::pending().await,
    }
}

pub(crate) fn say(text: &str) {
    println!("hysio: {text}");
}
