//! `hysio backup restore`.

use std::path::{Path, PathBuf};

use clap::Args;
use hysio_infra::{
    backup::{self, Live, Restored},
    embedded_postgres::Target,
    postgres::{backups, migrate},
};
use jiff::Timestamp;
use serde_json::json;

use super::{progress::Bar, show, store};
use crate::{config::Config, start::owner_config};

#[derive(Debug, Args)]
pub struct Restore {
    /// The beginning of a backup's id, or `newest`: the newest that was taken by the moment wanted.
    id: String,
    /// A new or empty directory, which becomes a data directory (paths.data).
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
    /// The moment to go back to, such as 2026-03-01T11:59:00Z, or `backup` for the moment it was taken. Without it, all
    /// there is.
    #[arg(long, value_name = "TIMESTAMP", value_parser = target)]
    until: Option<Target>,
    /// The timeline to follow, where restored databases went on beside each other. If not said, that of the live
    /// installation; without one, the latest.
    #[arg(long, value_name = "NUMBER")]
    timeline: Option<u32>,
    /// The master key that the backup was made under; paths.master_key if not said.
    #[arg(long, value_name = "FILE")]
    master_key: Option<PathBuf>,
    /// Another place than backup.directory.
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    #[arg(long)]
    json: bool,
}

fn target(text: &str) -> Result<Target, String> {
    if text == "backup" {
        return Ok(Target::Consistent);
    }
    text.parse::<Timestamp>().map(Target::Time).map_err(|_| {
        format!("{text:?} is neither `backup` nor a moment with its offset, such as 2026-03-01T11:59:00Z or 2026-03-01T12:59:00+01:00")
    })
}

impl Restore {
    pub async fn run(self, config: &Config) -> anyhow::Result<()> {
        if self.from.is_none() {
            super::must_be_ours(config)?;
        }
        let from = store(config, self.from.as_deref())?;
        let target = self.until.unwrap_or(Target::Latest);
        let moment = match target {
            Target::Time(moment) => Some(moment),
            Target::Latest | Target::Consistent => None,
        };
        let into = std::path::absolute(&self.into)?;
        let request = backup::Restore {
            backup: from.find(&self.id, moment)?,
            into: into.clone(),
            target,
            timeline: self.timeline,
            install_dir: std::path::absolute(config.paths.install.join("postgresql"))?,
            live: live(config)?,
            also: Some(store(config, None)?),
            master_key: self.master_key.unwrap_or_else(|| config.paths.master_key()),
        };
        let bar = Bar::new(!self.json);
        let restored = backup::restore(&from, &request, &bar).await;
        bar.finish();
        let restored = restored?;
        let details = json!({ "until": moment, "into": into, "reached": restored.reached });
        note(config, request.backup.id, details).await;
        print(request.backup.id, &into, &restored, self.json)
    }
}

fn live(config: &Config) -> anyhow::Result<Option<Live>> {
    let postgres = std::path::absolute(config.paths.data.join("postgres"))?;
    let is_ours = config.database.url.is_none() && postgres.exists();
    Ok(is_ours.then(|| Live {
        postgres,
        recordings: config.paths.blobs(),
    }))
}

/// In the trail of the installation that was backed up, if it runs. The restored one says so by itself.
async fn note(config: &Config, id: uuid::Uuid, details: serde_json::Value) {
    let noted = async {
        let client = migrate::connect(&owner_config(config)?).await?;
        backups::record_restore(&client, id, details).await?;
        anyhow::Ok(())
    };
    // Where the installation is lost, there is no trail to write to.
    let _ = noted.await;
}

fn print(id: uuid::Uuid, into: &Path, restored: &Restored, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        return show::print(&json!({
            "backup": id,
            "into": into,
            "last_commit": restored.last_commit,
            "reached": restored.reached,
            "recordings": restored.recordings,
            "missing_recordings": restored.missing_recordings,
        }));
    }
    println!("backup {id} is restored in {}", into.display());
    match restored.last_commit {
        Some(at) => println!("its last change was committed at {at}"),
        None => println!("it is as it was when the backup was taken"),
    }
    if !restored.reached {
        println!("the log ends before the moment you asked for: this is all there is");
    }
    println!("{} recordings were restored", restored.recordings);
    for recording in &restored.missing_recordings {
        println!(
            "the audio of recording {recording} is nowhere; its transcript and record are there"
        );
    }
    println!(
        "start it with: HYSIO__PATHS__DATA={} hysio up",
        into.display()
    );
    Ok(())
}
