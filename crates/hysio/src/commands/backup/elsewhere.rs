//! Backing an external database up by that server's own program, with the recordings and the sealed key beside it.

use std::process::Stdio;

use anyhow::Context as _;
use hysio_infra::{
    backup::{self, Keys, Store, Watcher, gently},
    postgres::{
        backups::{self, NewBackup},
        migrate,
    },
};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::process::Command;
use uuid::Uuid;

use crate::{config::Config, start::owner_config};

/// What the program says of the backup it has made.
#[derive(Deserialize)]
struct Said {
    path: String,
    #[serde(default)]
    bytes: u64,
}

#[must_use]
pub fn is_wanted(config: &Config) -> bool {
    config.database.url.is_some() && !config.backup.command.is_empty()
}

/// Makes one and notes it in the database with its audit entry. A failure is noted too.
///
/// # Errors
/// When the program fails or does not say what there is; when the recordings cannot be copied.
pub async fn create(
    config: &Config,
    store: &Store,
    watcher: impl Watcher + Send + 'static,
) -> anyhow::Result<NewBackup> {
    let mut client = migrate::connect(&owner_config(config)?).await?;
    // What is in it was there at the latest now.
    let taken_at = Timestamp::now();
    let made = match run(&config.backup.command).await {
        // After the database: every row that names a recording has its audio here.
        Ok(said) => copy(config, store, watcher).await.map(|()| said),
        Err(error) => Err(error),
    };
    let said = match made {
        Ok(said) => said,
        Err(error) => {
            backups::record_failure(&client, &format!("{error:#}")).await?;
            return Err(error);
        }
    };
    let backup = NewBackup {
        id: Uuid::now_v7(),
        taken_at,
        bytes: said.bytes,
        files: 0,
        wal_until: None,
        path: said.path,
    };
    backups::record(&mut client, &backup, &[]).await?;
    Ok(backup)
}

async fn run(command: &[String]) -> anyhow::Result<Said> {
    let (program, arguments) = command.split_first().context("backup.command is empty")?;
    let output = Command::new(program)
        .args(arguments)
        .current_dir("/")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("backup.command: {program} cannot be started"))?;
    let (said, complained) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    anyhow::ensure!(
        output.status.success(),
        "backup.command failed ({}): {}",
        output.status,
        complained.trim()
    );
    let last = said.lines().last().unwrap_or_default();
    serde_json::from_str(last).with_context(|| {
        format!(
            "backup.command ends with the line {last:?}, where it is to say {{\"path\": \"…\", \"bytes\": …}}"
        )
    })
}

async fn copy(
    config: &Config,
    store: &Store,
    watcher: impl Watcher + Send + 'static,
) -> anyhow::Result<()> {
    let (store, live) = (store.clone(), config.paths.blobs());
    let keys = Keys {
        master: config.paths.master_key(),
        audit: config.paths.audit_key(),
        in_the_clear: false,
    };
    gently(move || backup::keep_beside(&store, &live, &keys, &watcher)).await?;
    Ok(())
}
