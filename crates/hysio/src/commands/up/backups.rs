//! Backups from time to time, while everything else goes on: one at the first start, then one whenever the newest is too
//! old; in between, recordings and log are kept up with.

use std::time::Duration;

use hysio_infra::{
    backup::{self, Store, Watcher, gently},
    postgres::{backups, migrate},
};
use jiff::Timestamp;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    commands::backup::{
        elsewhere,
        make::{self, Request},
    },
    config::Config,
    start::owner_config,
    telemetry,
};

const LOOK_EVERY: Duration = Duration::from_secs(60);
/// After a failure: long enough that its cause may be gone, short enough to be back in time.
const AGAIN_AFTER: Duration = Duration::from_secs(15 * 60);

/// Ends with [`Backups::stop`], which a half-done backup does not outlive.
pub struct Backups {
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Backups {
    /// Where the database is not ours, backing it up is its own program's job, if there is one.
    pub fn start(config: &Config, ours: bool) -> Self {
        let stop = CancellationToken::new();
        let possible = ours || elsewhere::is_wanted(config);
        let wanted = possible && config.backup.every_hours > 0;
        let task = wanted.then(|| tokio::spawn(run(config.clone(), stop.clone())));
        Self { stop, task }
    }

    pub async fn stop(self) {
        self.stop.cancel();
        if let Some(task) = self.task
            && task.await.is_err()
        {
            tracing::error!("the task that makes backups has panicked");
        }
    }
}

async fn run(config: Config, stop: CancellationToken) {
    let store = Store::new(config.backups());
    loop {
        let pause = look(&config, &store, &stop).await;
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Does what is due, and says when to look again.
async fn look(config: &Config, store: &Store, stop: &CancellationToken) -> Duration {
    let done = match age_of_newest(config, store).await {
        Ok(Some(age)) if age < Duration::from_secs(config.backup.every_hours * 3_600) => {
            keep_up(config, store, stop).await
        }
        Ok(age) => make_one(config, store, age.is_some(), stop).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => LOOK_EVERY,
        Err(_) if stop.is_cancelled() => LOOK_EVERY,
        Err(error) => {
            let why = telemetry::chain(&*error);
            tracing::error!(error = why, "backing up failed; trying again later");
            AGAIN_AFTER
        }
    }
}

async fn age_of_newest(config: &Config, store: &Store) -> anyhow::Result<Option<Duration>> {
    let taken_at = if elsewhere::is_wanted(config) {
        let client = migrate::connect(&owner_config(config)?).await?;
        let noted = backups::noted(&client).await?;
        noted.first().map(|newest| newest.taken_at)
    } else {
        // By the store itself: a restored database knows of backups that are elsewhere.
        let backups = store.list()?.backups;
        backups.first().map(|manifest| manifest.taken_at)
    };
    Ok(taken_at.map(|taken_at| {
        let age = Timestamp::now().duration_since(taken_at);
        age.try_into().unwrap_or_default()
    }))
}

async fn make_one(
    config: &Config,
    store: &Store,
    there_is_one: bool,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let stop = Stop(stop.clone());
    if elsewhere::is_wanted(config) {
        let made = elsewhere::create(config, store, stop).await?;
        tracing::info!(backup = %made.id, bytes = made.bytes, path = made.path, "backed up");
        return Ok(());
    }
    let request = Request {
        with_keys: false,
        // The first one is small, and soon is better.
        spread: there_is_one,
    };
    let created = make::create(config, store, request, stop).await?;
    let manifest = &created.manifest;
    tracing::info!(
        backup = %manifest.id,
        bytes = manifest.bytes(),
        files = manifest.count(),
        removed = created.removed.len(),
        "backed up"
    );
    Ok(())
}

async fn keep_up(config: &Config, store: &Store, stop: &CancellationToken) -> anyhow::Result<()> {
    let (store, live) = (store.clone(), config.paths.blobs());
    let stop = Stop(stop.clone());
    gently(move || backup::keep_up(&store, &live, &stop)).await?;
    Ok(())
}

struct Stop(CancellationToken);

impl Watcher for Stop {
    fn cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}
