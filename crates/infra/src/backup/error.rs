//! Why a backup cannot be made, proven or restored, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "{} has {free} bytes free and the backup needs {needed}: free some, keep fewer (backup.keep), or choose another disk (backup.directory)",
        dir.display()
    )]
    DiskShort {
        dir: PathBuf,
        needed: u64,
        free: u64,
    },
    #[error("the disk that holds {} is full: free some space, then try again", path.display())]
    DiskFull { path: PathBuf },
    #[error("another backup is being made or removed in {}: wait for it to end", dir.display())]
    Busy { dir: PathBuf },
    #[error("the work was ended before it was complete; nothing of it was kept")]
    Cancelled,
    #[error("there is no backup in {}: make one with `hysio backup create`", dir.display())]
    None { dir: PathBuf },
    #[error("no backup in {} begins with {wanted:?}: `hysio backup list` shows those there are", dir.display())]
    Unknown { dir: PathBuf, wanted: String },
    #[error("several backups in {} begin with {wanted:?}: write more of the id", dir.display())]
    Ambiguous { dir: PathBuf, wanted: String },
    #[error("the manifest {} cannot be believed: {detail}", path.display())]
    Manifest { path: PathBuf, detail: String },
    #[error("{} is not what was backed up: {detail}; choose another backup (`hysio backup verify`)", path.display())]
    Damaged { path: PathBuf, detail: String },
    #[error("the server would not send a backup: {0}")]
    Server(String),
    #[error(
        "the server's data is spread over tablespaces, which Hysio's backups do not hold: use pg_basebackup or pgBackRest"
    )]
    Tablespaces,
    #[error(
        "{until} is before backup {backup} was taken ({taken_at}): choose an older backup, or a later moment"
    )]
    BeforeBackup {
        backup: uuid::Uuid,
        taken_at: Timestamp,
        until: Timestamp,
    },
    #[error("{until} has not come yet: leave --until out to restore everything there is")]
    InTheFuture { until: Timestamp },
    #[error("{} is there already: restore into a new or an empty directory", path.display())]
    NotEmpty { path: PathBuf },
    #[error("{} is there and was not left by a restore: move it away", path.display())]
    InTheWay { path: PathBuf },
    #[error(
        "segment {missing} of the log is missing in {}: only moments before it can be restored; `--until backup` restores the backup as it was taken",
        archive.display()
    )]
    LogGap { archive: PathBuf, missing: String },
    #[error(
        "backup {backup} was made under master key {needed}, which {} does not hold: give the right file with --master-key",
        path.display()
    )]
    WrongMasterKey {
        backup: uuid::Uuid,
        needed: String,
        path: PathBuf,
    },
    #[error("the private PostgreSQL cannot be used")]
    Postgres(#[from] crate::embedded_postgres::Error),
    #[error("the restored database cannot be used")]
    Database(#[from] crate::postgres::Error),
    #[error("the master key cannot be used")]
    Keys(#[from] crate::cipher::KeyError),
    #[error("can't {action} {}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

impl Error {
    /// For `map_err` after something was done to a path.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| {
            if matches!(
                source.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            ) {
                Self::DiskFull { path }
            } else {
                Self::Io {
                    action,
                    path,
                    source,
                }
            }
        }
    }
}
