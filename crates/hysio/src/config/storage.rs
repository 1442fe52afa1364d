//! Where things are kept: paths, databases, Redis, backups.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Secret;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Paths {
    /// Where the installation put PostgreSQL, the speech models and the catalogue.
    pub install: PathBuf,
    /// Where this machine keeps its data: database, recordings, keys.
    pub data: PathBuf,
    /// The master key file; `keys/master.key` in the data directory if not said.
    pub master_key: Option<PathBuf>,
    /// The key that signs the audit trail; `keys/audit.key` in the data directory if not said.
    pub audit_key: Option<PathBuf>,
    /// The catalogue of codes; `catalogue/hysio.catalogue` in the installation if not said.
    pub catalogue: Option<PathBuf>,
    /// A PEM file with certificate authorities to trust beside the operating system's.
    pub trusted_certificates: Option<PathBuf>,
    /// The speech models; `speech` in the installation if not said.
    pub models: Option<PathBuf>,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            install: "vendor".into(),
            data: ".hysio".into(),
            master_key: None,
            audit_key: None,
            catalogue: None,
            models: None,
            trusted_certificates: None,
        }
    }
}

impl Paths {
    #[must_use]
    pub fn master_key(&self) -> PathBuf {
        self.master_key
            .clone()
            .unwrap_or_else(|| self.data.join("keys/master.key"))
    }

    #[must_use]
    pub fn audit_key(&self) -> PathBuf {
        self.audit_key
            .clone()
            .unwrap_or_else(|| self.data.join("keys/audit.key"))
    }

    #[must_use]
    pub fn catalogue(&self) -> PathBuf {
        self.catalogue
            .clone()
            .unwrap_or_else(|| self.install.join("catalogue/hysio.catalogue"))
    }

    #[must_use]
    pub fn models(&self) -> PathBuf {
        self.models
            .clone()
            .unwrap_or_else(|| self.install.join("speech"))
    }

    #[must_use]
    pub fn blobs(&self) -> PathBuf {
        self.data.join("recordings")
    }
}

/// Of the private PostgreSQL and the recordings.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Backup {
    /// Where backups and the archived log are kept; `backups` in the data directory if not said.
    pub directory: Option<PathBuf>,
    /// Hours between backups. 0 makes none by itself, and keeps no log.
    pub every_hours: u64,
    /// The newest so many are kept.
    pub keep: usize,
    /// Seconds after which what was written last is archived: at most this much is lost with the database's disk.
    pub wal_seconds: u64,
    /// Megabytes a second that a backup reads from the database at most.
    pub megabytes_per_second: u32,
    /// What backs an external database up: a program and its arguments, such as deploy/postgres/backup.sh. The last line that it
    /// prints says what there is: `{"path": "…", "bytes": …}`.
    pub command: Vec<String>,
}

impl Default for Backup {
    fn default() -> Self {
        Self {
            directory: None,
            every_hours: 24,
            keep: 7,
            wal_seconds: 60,
            megabytes_per_second: 50,
            command: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// Of the services' role, `hysio_app`. Without it, `hysio up` starts a PostgreSQL of its own.
    pub url: Option<Secret>,
    /// Of the schema's owner, for `hysio migrate`, `hysio user` and `hysio facility`.
    pub owner_url: Option<Secret>,
    /// `DATABASE_POOL_SIZE`: connections a process has at most.
    pub pool_size: usize,
    /// Whether `url` leads through a pooler in transaction mode, such as PgBouncer.
    pub pooled: bool,
    /// Of the services' role, to the primary itself: wake-up calls (LISTEN) go past a pooler. `url` if not said.
    pub direct_url: Option<Secret>,
    /// Of the services' role, to replicas: what has come as far as the session's own writes is read there.
    pub replica_url: Option<Secret>,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: None,
            owner_url: None,
            pool_size: 20,
            pooled: false,
            direct_url: None,
            replica_url: None,
        }
    }
}

/// Transport, cache and shared limits, never the truth: what is lost there is found in PostgreSQL.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Redis {
    /// Nodes of the queue's cluster, such as `rediss://user:password@redis1:6379`; any of them tells of the others.
    pub cluster: Vec<Secret>,
    /// The cache, an instance of its own.
    pub cache: Option<Secret>,
    /// Whether transcripts and suggested codes are cached, in each process and in `cache`.
    pub cache_enabled: bool,
    /// Megabytes of each process's own layer.
    pub cache_megabytes: u64,
}

impl Default for Redis {
    fn default() -> Self {
        Self {
            cluster: Vec::new(),
            cache: None,
            cache_enabled: true,
            cache_megabytes: 64,
        }
    }
}

/// A PgBouncer whose pool `hysio scale db_connections` sets.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PgBouncer {
    /// Its administration console: `postgres://pgbouncer_admin:…@host:6432/pgbouncer`.
    pub admin_url: Secret,
    /// The folder with `pools.ini` and `databases.ini`.
    pub directory: PathBuf,
}

/// What `hysio emergency failover` works with.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failover {
    pub nodes: Vec<DatabaseNode>,
    /// The port that all of them have.
    pub port: u16,
}

/// One PostgreSQL server.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseNode {
    /// Its `application_name` and the name of its replication slot.
    pub name: String,
    /// How PgBouncer and the other servers reach it.
    pub host: String,
    /// Of the role `hysio_failover`.
    pub url: Secret,
    /// A program and its arguments that cuts it off for good, also when the machine does not answer.
    pub fence: Vec<String>,
    /// A program and its arguments that brings it back as a replica; empty if a person does.
    #[serde(default)]
    pub rejoin: Vec<String>,
}
