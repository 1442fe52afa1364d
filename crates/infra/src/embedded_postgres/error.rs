//! Why the private database can't be had, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// Each message names the place and the way out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no PostgreSQL in {}: run `./hysio install`", path.display())]
    NotInstalled { path: PathBuf },

    #[error("the PostgreSQL in {} does not run: {detail}; remove it and run `./hysio install`", path.display())]
    Broken { path: PathBuf, detail: String },

    #[error(
        "PostgreSQL refuses to run as root, and there is no unprivileged user for it: \
         run `./hysio install`, or `useradd --system --user-group hysio`"
    )]
    NoAccount,

    #[error(
        "user {user} may not enter {}, which is on the way to {}: \
         `chmod o+x` it, or use a directory that others can reach, such as /var/lib/hysio",
        closed.display(), path.display()
    )]
    Unreachable {
        user: String,
        closed: PathBuf,
        path: PathBuf,
    },

    #[error("{} is in use by another Hysio (process {holder}): stop that one, or choose another data directory", data_dir.display())]
    InUse { data_dir: PathBuf, holder: String },

    #[error("process {process} still runs on {} and would not stop: end it, then start again", cluster.display())]
    Orphan { process: i32, cluster: PathBuf },

    #[error(
        "the data in {} was written by PostgreSQL {found}, and version {installed} is installed: \
         install version {found}, or move the data over with pg_dump and pg_restore",
        cluster.display()
    )]
    VersionMismatch {
        cluster: PathBuf,
        found: String,
        installed: String,
    },

    #[error("{} holds files but no PostgreSQL data: choose an empty or a new data directory", cluster.display())]
    NotACluster { cluster: PathBuf },

    #[error(
        "the path of the database's socket is {length} bytes long and the operating system allows {limit}: \
         choose a shorter data directory than {}",
        data_dir.display()
    )]
    PathTooLong {
        data_dir: PathBuf,
        length: usize,
        limit: usize,
    },

    #[error("the disk that holds {} is full: free some space, then start again", path.display())]
    DiskFull { path: PathBuf },

    #[error("this user may not use {}: start Hysio as the user that owns it, or choose another data directory", path.display())]
    Forbidden { path: PathBuf },

    #[error("creating the database in {} failed: {detail}", data_dir.display())]
    Initdb { data_dir: PathBuf, detail: String },

    #[error("PostgreSQL ended while starting: {detail}; its log is {}", log.display())]
    Ended { detail: String, log: PathBuf },

    #[error("PostgreSQL was not ready after {seconds} s; its log is {}", log.display())]
    NotReady { seconds: u64, log: PathBuf },

    #[error("the PostgreSQL of {} did not stop, not even when killed", data_dir.display())]
    NotStopped { data_dir: PathBuf },

    #[error("preparing the database and its roles failed")]
    Database(#[from] tokio_postgres::Error),

    #[error("can't {action} {}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

impl Error {
    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the kinds of the standard library are open-ended"
        )]
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            io::ErrorKind::PermissionDenied => Self::Forbidden { path },
            _ => Self::Io {
                action,
                path,
                source,
            },
        }
    }
}
