//! `hysio backup`: makes, lists, proves and restores backups of this machine.

pub mod elsewhere;
pub mod make;
mod progress;
mod restore;
mod show;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use hysio_infra::{
    backup::{self, Manifest, Store, Unwatched, Verified, Watcher, gently},
    postgres::{backups, migrate},
};
use jiff::Timestamp;
use uuid::Uuid;

use self::{progress::Bar, restore::Restore};
use crate::{
    config::Config,
    start::{ConfigArgument, owner_config},
};

#[derive(Debug, Args)]
pub struct Command {
    #[command(flatten)]
    config: ConfigArgument,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Back up database and recordings, while Hysio goes on working. The master key stays out.
    Create(Create),
    /// List the backups there are, newest first.
    List(List),
    /// Read every byte of a backup, and of all if none is named, and name what is not as it was.
    Verify(Verify),
    /// Restore into a new data directory, as it was at a moment.
    Restore(Restore),
    /// Note a backup of an external database, so that its age is known here.
    Record(Record),
}

#[derive(Debug, Args)]
struct Create {
    /// Another place than backup.directory.
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Put the master key and the audit key in as they are. Whoever has the backup can then read it all.
    #[arg(long)]
    with_keys: bool,
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct List {
    /// Another place than backup.directory.
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Verify {
    /// The beginning of a backup's id, or `newest`.
    id: Option<String>,
    /// Another place than backup.directory.
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Record {
    /// When the backup was complete, such as 2026-03-01T02:00:00Z.
    #[arg(long, value_name = "TIMESTAMP")]
    taken_at: Timestamp,
    /// Where it is, in that system's own words.
    #[arg(long)]
    path: String,
    #[arg(long, default_value_t = 0)]
    bytes: u64,
}

impl Command {
    pub fn run(self) -> anyhow::Result<()> {
        let config = self.config.load()?;
        super::block_on(async {
            match self.action {
                Action::Create(create) => create.run(&config).await,
                Action::List(list) => list.run(&config).await,
                Action::Verify(verify) => verify.run(&config).await,
                Action::Restore(restore) => restore.run(&config).await,
                Action::Record(record) => record.run(&config).await,
            }
        })
    }
}

impl Create {
    async fn run(self, config: &Config) -> anyhow::Result<()> {
        let store = store(config, self.to.as_deref())?;
        if elsewhere::is_wanted(config) {
            anyhow::ensure!(
                !self.with_keys,
                "--with-keys is for the private database: copy {} yourself, to another place than the backups",
                config.paths.master_key().display()
            );
            return show::elsewhere(
                &elsewhere::create(config, &store, Unwatched).await?,
                self.json,
            );
        }
        must_be_ours(config)?;
        let server = make::running_server(config).await?;
        let request = make::Request {
            with_keys: self.with_keys,
            spread: false,
        };
        let bar = Bar::new(!self.json);
        let made = make::create(config, &store, request, bar.clone()).await;
        bar.finish();
        if let Some(server) = server {
            server.stop().await?;
        }
        show::created(&made?, self.json)
    }
}

impl List {
    async fn run(self, config: &Config) -> anyhow::Result<()> {
        if self.from.is_none() && config.database.url.is_some() {
            let client = migrate::connect(&owner_config(config)?).await?;
            return show::noted(&backups::noted(&client).await?, self.json);
        }
        let store = store(config, self.from.as_deref())?;
        show::list(&store, &store.list()?, self.json)
    }
}

impl Verify {
    async fn run(self, config: &Config) -> anyhow::Result<()> {
        if self.from.is_none() {
            must_be_ours(config)?;
        }
        let store = store(config, self.from.as_deref())?;
        let (wanted, mut damaged) = match &self.id {
            Some(id) => (vec![store.find(id, None)?], Vec::new()),
            None => {
                let listing = store.list()?;
                (listing.backups, listing.damaged)
            }
        };
        anyhow::ensure!(
            !wanted.is_empty() || !damaged.is_empty(),
            "there is no backup in {}: make one with `hysio backup create`",
            store.path().display()
        );
        let mut results = Vec::new();
        let bar = Bar::new(!self.json);
        for manifest in wanted {
            let verified = prove(&store, &manifest, bar.clone()).await?;
            note(config, manifest.id, &verified).await;
            results.push((manifest, verified));
        }
        bar.finish();
        show::verified(&results, &damaged, self.json)?;
        let bad = results.iter().filter(|(_, found)| !found.is_good()).count() + damaged.len();
        damaged.clear();
        anyhow::ensure!(bad == 0, "{bad} of the backups are not as they were");
        Ok(())
    }
}

async fn prove(
    store: &Store,
    manifest: &Manifest,
    watcher: impl Watcher + Send + 'static,
) -> anyhow::Result<Verified> {
    let (store, manifest) = (store.clone(), manifest.clone());
    Ok(gently(move || backup::verify(&store, &manifest, &watcher)).await?)
}

/// A check is worth something without a database too: after a fire there is none.
async fn note(config: &Config, id: Uuid, verified: &Verified) {
    let noted = async {
        let mut client = migrate::connect(&owner_config(config)?).await?;
        let problems = verified.problems.len() + verified.log_problems.len();
        backups::record_verification(&mut client, id, verified.files, problems).await?;
        anyhow::Ok(())
    };
    if let Err(error) = noted.await {
        eprintln!("hysio: the result is not noted in the database: {error:#}");
    }
}

impl Record {
    async fn run(self, config: &Config) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.taken_at <= Timestamp::now(),
            "{} has not come yet",
            self.taken_at
        );
        let mut client = migrate::connect(&owner_config(config)?).await?;
        let backup = backups::NewBackup {
            id: Uuid::now_v7(),
            taken_at: self.taken_at,
            bytes: self.bytes,
            files: 0,
            wal_until: None,
            path: self.path,
        };
        backups::record(&mut client, &backup, &[]).await?;
        println!("noted: {}", backup.id);
        Ok(())
    }
}

/// The configured store, or another.
fn store(config: &Config, other: Option<&std::path::Path>) -> anyhow::Result<Store> {
    let dir = other.map_or_else(|| config.backups(), Into::into);
    let dir = std::path::absolute(&dir).with_context(|| format!("{} is no path", dir.display()))?;
    Ok(Store::new(dir))
}

fn must_be_ours(config: &Config) -> anyhow::Result<()> {
    anyhow::ensure!(
        config.database.url.is_none(),
        "database.url is set, so backing up is that server's own job (pgBackRest, Barman, or your provider's snapshots), \
         and {} is to be copied with it: set backup.command, or tell Hysio after each: \
         hysio backup record --taken-at 2026-03-01T02:00:00Z --path \"where it is\"",
        config.paths.blobs().display()
    );
    Ok(())
}

/// Nobody watches when a machine reads the output.
impl Watcher for Bar {
    fn progress(&self, at: backup::Progress) {
        match self {
            Self::Shown(shown) => shown.report(at),
            Self::Hidden => Unwatched.progress(at),
        }
    }
}
