//! Restoring: a base backup is copied out of the store, each file checked on the way, and brought forward through the log
//! in a server of its own, until it is a data directory that `hysio up` starts with.

use std::collections::HashMap;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::task::block_in_place;
use tokio_postgres::Client;

use super::create::{AUDIT_KEY, DATABASE, KEYS, MASTER_KEY, SEALED_AUDIT_KEY};
use super::{Error, FileEntry, Manifest, Progress, Result, Stage, Store, Watcher, files, wal};
use crate::cipher::MasterKeys;
use crate::embedded_postgres::{
    DATABASE as DATABASE_NAME, Login, Recovered, Settings, Target, cluster_dir, recover,
};
use crate::postgres::{Vault, backups, migrate};

/// Says that a directory was left by a restore that did not end, and may be removed.
const MARK: &str = "restoring";
/// Replaying the log takes as long as there is log.
const PATIENCE: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long the live server gets to archive what it has written last.
const WAIT_FOR_ARCHIVE: Duration = Duration::from_secs(30);

/// What to restore, and where to.
#[derive(Clone, Debug)]
pub struct Restore {
    pub backup: Manifest,
    /// A data directory to be: new, or empty.
    pub into: PathBuf,
    pub target: Target,
    /// The timeline to follow. If not said, that of the live installation; without one, the latest.
    pub timeline: Option<u32>,
    /// The folder with `bin/postgres`.
    pub install_dir: PathBuf,
    /// The installation that the backup is of, if it is still there.
    pub live: Option<Live>,
    /// Another store whose archive of the log is looked at too: where the server archives, when the backup lies elsewhere.
    pub also: Option<Store>,
    /// Opens what is sealed. Not needed for a backup with keys.
    pub master_key: PathBuf,
}

/// An installation, running or not.
#[derive(Clone, Debug)]
pub struct Live {
    /// The private PostgreSQL's directory.
    pub postgres: PathBuf,
    pub recordings: PathBuf,
}

#[derive(Debug)]
pub struct Restored {
    /// When the last change that was restored was committed; None when that was before the backup.
    pub last_commit: Option<Timestamp>,
    /// False when the log ended before the moment that was asked for.
    pub reached: bool,
    pub recordings: usize,
    /// Recordings that the database names and nobody has: `facility/id`.
    pub missing_recordings: Vec<String>,
}

/// Restores into a new data directory; it has its name when it is complete. Must run on a multi-threaded runtime.
///
/// # Errors
/// [`Error::Damaged`] with the file that is not what it was; [`Error::LogGap`], [`Error::BeforeBackup`],
/// [`Error::WrongMasterKey`]; the server's reason when the log cannot be replayed.
pub async fn restore(store: &Store, request: &Restore, watcher: &dyn Watcher) -> Result<Restored> {
    check_target(request)?;
    must_be_empty(&request.into)?;
    let master = master_keys(store, request)?;
    let unfinished = prepare(&request.into)?;
    let end = end_of_log(store, request).await?;
    block_in_place(|| fill(store, request, &unfinished, end.lies_in.as_deref(), watcher))?;
    block_in_place(|| restore_keys(store, request, &master, &unfinished))?;

    let settings = Settings {
        start_timeout: PATIENCE,
        ..Settings::new(&request.install_dir, unfinished.join("postgres"))
    };
    let recovered = recover(settings, request.target, timeline(request, &end)).await?;
    let settled = settle(store, request, master, &unfinished, &recovered, watcher).await;
    recovered.server.stop().await?;
    let (recordings, missing_recordings) = settled?;
    block_in_place(|| complete(&unfinished, &request.into))?;
    Ok(Restored {
        last_commit: recovered.last_commit,
        reached: recovered.reached,
        recordings,
        missing_recordings,
    })
}

fn check_target(request: &Restore) -> Result<()> {
    let Target::Time(until) = request.target else {
        return Ok(());
    };
    if until > Timestamp::now() {
        return Err(Error::InTheFuture { until });
    }
    let taken_at = request.backup.taken_at;
    if until < taken_at {
        return Err(Error::BeforeBackup {
            backup: request.backup.id,
            taken_at,
            until,
        });
    }
    Ok(())
}

fn must_be_empty(into: &Path) -> Result<()> {
    if into.exists() && !(into.is_dir() && files::read_dir(into)?.is_empty()) {
        return Err(Error::NotEmpty {
            path: into.to_owned(),
        });
    }
    Ok(())
}

/// Before anything is copied: without the key, the result would be of no use.
fn master_keys(store: &Store, request: &Restore) -> Result<MasterKeys> {
    let backup = &request.backup;
    let path = if backup.with_keys {
        store.backup(backup.id).join(KEYS).join(MASTER_KEY)
    } else {
        request.master_key.clone()
    };
    let keys = MasterKeys::load(&path)?;
    match &backup.master_key_id {
        Some(id) if !keys.holds(id) => Err(Error::WrongMasterKey {
            backup: backup.id,
            needed: id.clone(),
            path,
        }),
        _ => Ok(keys),
    }
}

/// An empty directory beside the wanted one; what an earlier restore left there is removed.
fn prepare(into: &Path) -> Result<PathBuf> {
    let mut name = into.as_os_str().to_owned();
    name.push(".restoring");
    let unfinished = PathBuf::from(name);
    if unfinished.exists() {
        if !unfinished.join(MARK).exists() {
            return Err(Error::InTheWay { path: unfinished });
        }
        files::remove_dir(&unfinished)?;
    }
    // The database's own user passes through.
    DirBuilder::new()
        .recursive(true)
        .mode(0o711)
        .create(&unfinished)
        .map_err(Error::io("create", &unfinished))?;
    files::write_durably(&unfinished.join(MARK), b"")?;
    Ok(unfinished)
}

/// Where the log of the live installation ends.
#[derive(Default)]
struct EndOfLog {
    /// The timeline that it writes, or wrote last.
    timeline: Option<u32>,
    /// Where it lies, if not all of it is archived.
    lies_in: Option<PathBuf>,
}

/// Has a live server archive what it wrote last. Where none runs, its log is read where it lies.
async fn end_of_log(store: &Store, request: &Restore) -> Result<EndOfLog> {
    let Some(live) = &request.live else {
        return Ok(EndOfLog::default());
    };
    let cluster = &request.backup.cluster;
    let found = crate::embedded_postgres::system_identifier(&live.postgres).ok();
    if found != Some(cluster.system_identifier) {
        return Ok(EndOfLog::default());
    }
    let log = cluster_dir(&live.postgres).join("pg_wal");
    let timeline = wal::last_timeline(&log, cluster.segment_bytes)?;
    let socket = crate::embedded_postgres::socket_dir(&live.postgres);
    let archived = match migrate::connect(&Login::Superuser.config(&socket)).await {
        Ok(client) => archived(&client, &archives(store, request)).await?,
        Err(_) => false,
    };
    Ok(EndOfLog {
        timeline,
        lies_in: (!archived).then_some(log),
    })
}

/// A restored copy that went on beside the live installation archived a later timeline, which is not what is wanted. A
/// backup of such a copy is not on the live one's.
fn timeline(request: &Restore, end: &EndOfLog) -> Option<u32> {
    let live = end
        .timeline
        .filter(|&live| live >= request.backup.cluster.timeline);
    request.timeline.or(live)
}

fn archives(store: &Store, request: &Restore) -> Vec<PathBuf> {
    let system = request.backup.cluster.system_identifier;
    [Some(store), request.also.as_ref()]
        .into_iter()
        .flatten()
        .map(|store| store.archive(system))
        .collect()
}

/// Whether everything that was written until now has come into the archive.
async fn archived(client: &Client, archives: &[PathBuf]) -> Result<bool> {
    let sql = "SELECT pg_walfile_name(pg_switch_wal())";
    let Ok(row) = client.query_one(sql, &[]).await else {
        return Ok(false);
    };
    let name: String = row.get(0);
    let deadline = tokio::time::Instant::now() + WAIT_FOR_ARCHIVE;
    while tokio::time::Instant::now() < deadline {
        let is_in = |archive: &PathBuf| {
            archive.join(&name).exists() || archive.join(format!("{name}.gz")).exists()
        };
        if archives.iter().any(is_in) {
            return Ok(true);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(false)
}

/// The cluster and the log to replay.
fn fill(
    store: &Store,
    request: &Restore,
    unfinished: &Path,
    live_log: Option<&Path>,
    watcher: &dyn Watcher,
) -> Result<()> {
    let postgres = unfinished.join("postgres");
    let cluster = cluster_dir(&postgres);
    files::create_private(&cluster)?;
    copy_database(store, &request.backup, &cluster, watcher)?;
    for directory in &request.backup.directories {
        files::create_private(&cluster.join(directory))?;
    }
    let replay = postgres.join("replay");
    files::create_private(&replay)?;
    if request.target == Target::Consistent {
        return Ok(());
    }
    let found = &request.backup.cluster;
    let mut sources = archives(store, request);
    sources.extend(live_log.map(Path::to_owned));
    wal::collect(&sources, found, &replay, watcher)?;
    match wal::first_gap(&[&replay, &cluster.join("pg_wal")], found, None)? {
        Some(missing) => Err(Error::LogGap {
            archive: store.archive(found.system_identifier),
            missing,
        }),
        None => Ok(()),
    }
}

fn copy_database(
    store: &Store,
    backup: &Manifest,
    cluster: &Path,
    watcher: &dyn Watcher,
) -> Result<()> {
    let dir = store.backup(backup.id);
    let prefix = format!("{DATABASE}/");
    let total = backup.files.iter().map(|entry| entry.bytes).sum();
    let mut done = 0;
    for entry in &backup.files {
        let Some(relative) = entry.path.strip_prefix(&prefix) else {
            continue;
        };
        let target = cluster.join(relative);
        if let Some(folder) = target.parent() {
            files::create_private(folder)?;
        }
        files::copy_checked(
            &dir.join(&entry.path),
            &target,
            entry,
            watcher,
            &mut |piece| {
                done += piece;
                watcher.progress(Progress {
                    stage: Stage::Database,
                    done,
                    total,
                });
            },
        )?;
    }
    Ok(())
}

/// The master key beside the audit key that it opens, as `hysio up` expects them.
fn restore_keys(
    store: &Store,
    request: &Restore,
    master: &MasterKeys,
    unfinished: &Path,
) -> Result<()> {
    let (from, to) = (
        store.backup(request.backup.id).join(KEYS),
        unfinished.join("keys"),
    );
    files::create_private(&to)?;
    let read = |path: &Path| {
        fs::read(path)
            .map(zeroize::Zeroizing::new)
            .map_err(Error::io("read", path))
    };
    if request.backup.with_keys {
        for name in [MASTER_KEY, AUDIT_KEY] {
            files::write_durably(&to.join(name), &read(&from.join(name))?)?;
        }
        return Ok(());
    }
    files::write_durably(&to.join(MASTER_KEY), &read(&request.master_key)?)?;
    let path = from.join(SEALED_AUDIT_KEY);
    let audit = master
        .open_file(AUDIT_KEY, &read(&path)?)
        .ok_or_else(|| Error::Damaged {
            path: path.clone(),
            detail: "the master key does not open it".to_owned(),
        })?;
    files::write_durably(&to.join(AUDIT_KEY), &audit)
}

/// In the restored database: the key opens it, its recordings are there, and its trail says what happened.
async fn settle(
    store: &Store,
    request: &Restore,
    master: MasterKeys,
    unfinished: &Path,
    recovered: &Recovered,
    watcher: &dyn Watcher,
) -> Result<(usize, Vec<String>)> {
    let server = &recovered.server;
    let mut superuser = server.config(Login::Superuser);
    let client = migrate::connect(superuser.dbname(DATABASE_NAME)).await?;
    let named = named_recordings(&client).await?;
    Vault::open(master, &client).await?;
    let (copied, missing) =
        block_in_place(|| restore_recordings(store, request, &named, unfinished, watcher))?;
    let details = json!({
        "until": target_text(request.target),
        "last_commit": recovered.last_commit,
        "reached": recovered.reached,
        "recordings": copied,
        "missing_recordings": missing.len(),
    });
    let mut owner = migrate::connect(&server.config(Login::Owner)).await?;
    backups::found_restored(&mut owner, request.backup.id, details).await?;
    Ok((copied, missing))
}

fn target_text(target: Target) -> String {
    match target {
        Target::Latest => "latest".to_owned(),
        Target::Consistent => "backup".to_owned(),
        Target::Time(at) => at.to_string(),
    }
}

/// `facility/id` of each, across facilities.
async fn named_recordings(client: &Client) -> Result<Vec<String>> {
    let rows = client
        .query(
            "SELECT facility_id || '/' || id FROM recordings ORDER BY 1",
            &[],
        )
        .await
        .map_err(crate::postgres::Error::from)?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Copies what the database names: from the store, or from the live installation. Returns how many, and which nobody has.
fn restore_recordings(
    store: &Store,
    request: &Restore,
    named: &[String],
    unfinished: &Path,
    watcher: &dyn Watcher,
) -> Result<(usize, Vec<String>)> {
    let to = unfinished.join("recordings");
    files::create_private(&to)?;
    let noted: HashMap<&str, &FileEntry> = request
        .backup
        .recordings
        .iter()
        .map(|entry| (entry.path.as_str(), entry))
        .collect();
    let mut missing = Vec::new();
    for (index, path) in named.iter().enumerate() {
        let kept = store.recordings().join(path);
        let live = request.live.as_ref().map(|live| live.recordings.join(path));
        let from = [Some(kept), live]
            .into_iter()
            .flatten()
            .find(|from| from.exists());
        let Some(from) = from else {
            missing.push(path.clone());
            continue;
        };
        let target = to.join(path);
        if let Some(folder) = target.parent() {
            files::create_private(folder)?;
        }
        match noted.get(path.as_str()) {
            Some(entry) => files::copy_checked(&from, &target, entry, watcher, &mut |_| {})?,
            None => {
                let file = fs::File::open(&from).map_err(Error::io("read", &from))?;
                files::copy(file, &target, watcher, &mut |_| {})?;
            }
        }
        watcher.progress(Progress {
            stage: Stage::Recordings,
            done: index as u64 + 1,
            total: named.len() as u64,
        });
    }
    Ok((named.len() - missing.len(), missing))
}

/// Gives the directory its name. From then on it is restored.
fn complete(unfinished: &Path, into: &Path) -> Result<()> {
    files::remove_file(&unfinished.join(MARK))?;
    files::sync_tree(unfinished)?;
    if into.exists() {
        fs::remove_dir(into).map_err(Error::io("replace", into))?;
    }
    fs::rename(unfinished, into).map_err(Error::io("rename", unfinished))?;
    files::sync_dir(into.parent().unwrap_or(into))
}
