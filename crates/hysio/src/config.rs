//! Configuration: defaults here, then a YAML file, then the environment (`HYSIO__SECTION__KEY`), then the seed's own
//! names (`DATABASE_POOL_SIZE` and so on). An unknown key is refused. Secrets come by file or environment and are not
//! printed.

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use figment::{
    Figment,
    providers::{Env, Serialized},
};
use hysio_infra::{backup::Store, embedded_postgres::Archive};
use hysio_model::QueueName;
use serde::{Deserialize, Serialize};

/// A value that is never printed.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub paths: Paths,
    pub database: Database,
    pub http: Http,
    pub session: Session,
    pub transcription: Transcription,
    pub diagnosecode: Diagnosecode,
    pub worker: Worker,
    pub smtp: Smtp,
    pub scaling: Scaling,
    pub backup: Backup,
    pub redis: Redis,
    pub pgbouncer: Option<PgBouncer>,
    pub failover: Option<Failover>,
}

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

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    pub app: SocketAddr,
    pub transcription: SocketAddr,
    pub diagnosecode: SocketAddr,
    /// Where a worker's own `/health`, `/ready` and `/metrics` are; none if not said.
    pub worker: Option<SocketAddr>,
    /// How clinicians reach the app; mails link here.
    pub public_url: String,
    /// Requests a second that one client may make, on average.
    pub rate_per_second: u32,
    /// Requests that one client may make at once.
    pub rate_burst: u32,
    /// Whether a proxy in front sets X-Forwarded-For, so that clients can be told apart behind it.
    pub trust_forwarded_for: bool,
    /// Seconds for which a leaving app still takes requests, so that a balancer in front notices before the door is shut.
    pub drain_seconds: u64,
    /// Largest JSON body, in bytes.
    pub body_bytes_max: usize,
    /// Largest recording, in bytes.
    pub upload_bytes_max: usize,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            app: ([127, 0, 0, 1], 3000).into(),
            transcription: ([127, 0, 0, 1], 8080).into(),
            diagnosecode: ([127, 0, 0, 1], 8081).into(),
            worker: None,
            public_url: "http://localhost:3000".into(),
            rate_per_second: 10,
            rate_burst: 20,
            trust_forwarded_for: false,
            drain_seconds: 0,
            body_bytes_max: 1_000_000,
            upload_bytes_max: 200_000_000,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Session {
    pub idle_minutes: u64,
    pub lifetime_hours: u64,
    /// Failed sign-ins in a row that lock an account.
    pub lock_after: i32,
    pub lock_minutes: u64,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            idle_minutes: 15,
            lifetime_hours: 12,
            lock_after: 5,
            lock_minutes: 15,
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

/// Which engine turns speech into text.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineServer {
    /// Base address of an OpenAI-compatible server, such as `http://gpu-1:8000`.
    pub url: String,
    pub model: Option<String>,
    /// A file with the bearer key.
    pub key_file: Option<PathBuf>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Transcription {
    /// The server that workers use; if not said, this machine's own transcription service.
    pub engine: Option<EngineServer>,
    /// `auto`, `base` or `small`.
    pub model: String,
    /// `AI_MODEL_WORKERS`: recordings worked on at once. 0 is one for every two cores.
    pub model_workers: usize,
    /// `QUEUE_WORKERS`: requests that wait for a free place before others are turned away.
    pub queue_workers: usize,
    /// Seconds a recording may take.
    pub timeout_seconds: u64,
}

impl Default for Transcription {
    fn default() -> Self {
        Self {
            engine: None,
            model: "auto".into(),
            model_workers: 0,
            queue_workers: 8,
            timeout_seconds: 1_800,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Diagnosecode {
    /// The diagnosecode service that workers and the app use; if not said, this machine's own.
    pub url: Option<String>,
    /// `INFERENCE_WORKERS`: texts worked on at once. 0 is one a core.
    pub inference_workers: usize,
    /// `MODEL_CACHE_SIZE`, such as `64MB` or `1GB`: results kept for texts that come again.
    pub model_cache_size: String,
    /// A language model that puts the suggested codes in a better order. It can add none.
    pub reranker: Option<Reranker>,
}

/// A server that speaks `POST /v1/chat/completions`. It is sent what was dictated: use one that may hold patient data.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reranker {
    pub url: String,
    pub model: String,
    /// A file with the bearer key.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
    /// Seconds after which the plain order counts.
    #[serde(default = "reranker_timeout_seconds")]
    pub timeout_seconds: u64,
}

fn reranker_timeout_seconds() -> u64 {
    2
}

impl Default for Diagnosecode {
    fn default() -> Self {
        Self {
            url: None,
            inference_workers: 0,
            model_cache_size: "64MB".into(),
            reranker: None,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Worker {
    /// `WORKER_CONCURRENCY`: jobs one worker process does at once.
    pub concurrency: usize,
    /// `QUEUE_NAMES`.
    pub queues: Vec<QueueName>,
    /// Seconds after which a silent worker's jobs are taken back.
    pub lease_seconds: u64,
    /// Seconds that a leaving worker waits for its jobs before it hands them back.
    pub drain_seconds: u64,
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            concurrency: 4,
            queues: QueueName::ALL.to_vec(),
            lease_seconds: 30,
            drain_seconds: 25,
        }
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Smtp {
    /// `smtp://host:port` (STARTTLS) or `smtps://host:port`. Without it no mail is sent, and the trail says so.
    pub url: Option<String>,
    pub user: Option<String>,
    pub password_file: Option<PathBuf>,
    pub from: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scaling {
    /// Whether `hysio up` starts a scaler.
    pub enabled: bool,
    /// A folder of policy files; those of `config/scaling`, which are built in, if not said.
    pub policies: Option<PathBuf>,
    /// Milliseconds between two looks; a call from the queues brings the next one forward.
    pub tick_milliseconds: u64,
    /// The oldest backup that a change may be begun with.
    pub backup_hours_max: i64,
    pub prometheus: Option<PrometheusServer>,
}

/// Signals that are read from Prometheus.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrometheusServer {
    /// Such as `http://prometheus:9090`.
    pub url: String,
    /// A query for each signal; it must have one value.
    pub queries: std::collections::BTreeMap<String, String>,
}

impl Default for Scaling {
    fn default() -> Self {
        Self {
            enabled: true,
            policies: None,
            tick_milliseconds: 1_000,
            backup_hours_max: 26,
            prometheus: None,
        }
    }
}

/// The seed's names, and the keys they stand for.
const SEED_NAMES: [(&str, &str); 7] = [
    ("DATABASE_POOL_SIZE", "database.pool_size"),
    ("AI_MODEL_WORKERS", "transcription.model_workers"),
    ("QUEUE_WORKERS", "transcription.queue_workers"),
    ("MODEL_CACHE_SIZE", "diagnosecode.model_cache_size"),
    ("INFERENCE_WORKERS", "diagnosecode.inference_workers"),
    ("WORKER_CONCURRENCY", "worker.concurrency"),
    ("QUEUE_NAMES", "worker.queues"),
];

impl Config {
    /// Reads the file, if one is given, and the environment.
    pub fn load(file: Option<&Path>) -> anyhow::Result<Self> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if let Some(path) = file {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("the configuration {} cannot be read", path.display()))?;
            figment = figment.merge(Serialized::defaults(
                parse(&text).with_context(|| format!("in {}", path.display()))?,
            ));
        }
        // Read through figment, so that the environment is touched here and nowhere else.
        for (name, key) in SEED_NAMES {
            let value: Option<String> = Figment::from(Env::raw().only(&[name]))
                .extract_inner(&name.to_lowercase())
                .ok()
                .or_else(|| {
                    Figment::from(Env::raw().only(&[name]))
                        .extract_inner::<u64>(&name.to_lowercase())
                        .ok()
                        .map(|n| n.to_string())
                });
            if let Some(value) = value {
                figment = figment.merge(seed_value(name, key, &value)?);
            }
        }
        figment = figment.merge(Env::prefixed("HYSIO__").ignore(&["config"]).split("__"));
        let config: Self = figment
            .extract()
            .map_err(|error| anyhow::anyhow!("the configuration has a mistake: {error}"))?;
        config.check()?;
        Ok(config)
    }

    /// Where backups are kept.
    #[must_use]
    pub fn backups(&self) -> PathBuf {
        self.backup
            .directory
            .clone()
            .unwrap_or_else(|| self.paths.data.join("backups"))
    }

    /// How the private PostgreSQL archives its log, if backups are wanted.
    pub fn archive(&self) -> anyhow::Result<Option<Archive>> {
        if self.backup.every_hours == 0 {
            return Ok(None);
        }
        let directory = std::path::absolute(Store::new(self.backups()).wal())?;
        Ok(Some(Archive {
            directory,
            timeout: Duration::from_secs(self.backup.wal_seconds),
        }))
    }

    fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.backup.keep > 0 && self.backup.wal_seconds > 0,
            "backup.keep and backup.wal_seconds must be at least 1"
        );
        anyhow::ensure!(
            (1..=1024).contains(&self.backup.megabytes_per_second),
            "backup.megabytes_per_second must be between 1 and 1024"
        );
        anyhow::ensure!(
            self.database.pool_size > 0,
            "database.pool_size (DATABASE_POOL_SIZE) must be at least 1"
        );
        anyhow::ensure!(
            self.worker.concurrency > 0,
            "worker.concurrency (WORKER_CONCURRENCY) must be at least 1"
        );
        anyhow::ensure!(
            !self.worker.queues.is_empty(),
            "worker.queues (QUEUE_NAMES) must name at least one queue"
        );
        anyhow::ensure!(
            self.worker.lease_seconds >= 5,
            "worker.lease_seconds must be at least 5"
        );
        anyhow::ensure!(
            self.http.rate_per_second > 0 && self.http.rate_burst > 0,
            "http.rate_per_second and http.rate_burst must be at least 1"
        );
        anyhow::ensure!(
            (100..=3_600_000).contains(&self.scaling.tick_milliseconds),
            "scaling.tick_milliseconds must be from 100 to 3600000"
        );
        anyhow::ensure!(
            self.scaling.backup_hours_max > 0,
            "scaling.backup_hours_max must be at least 1"
        );
        Ok(())
    }
}

fn parse(text: &str) -> anyhow::Result<Config> {
    if text
        .lines()
        .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
    {
        return Ok(Config::default());
    }
    serde_saphyr::from_str(text).map_err(|error| anyhow::anyhow!("{error}"))
}

fn seed_value(name: &str, key: &str, value: &str) -> anyhow::Result<Figment> {
    let json = match key {
        "worker.queues" => {
            let queues: Result<Vec<QueueName>, String> = value.split(',').map(str::parse).collect();
            serde_json::to_value(queues.map_err(|error| anyhow::anyhow!("{name}: {error}"))?)?
        }
        "diagnosecode.model_cache_size" => value.into(),
        _ => value
            .parse::<u64>()
            .with_context(|| format!("{name} is {value:?} and must be a whole number"))?
            .into(),
    };
    Ok(Figment::from(Serialized::default(key, json)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_configuration_is_read_and_says_the_defaults() {
        let text = include_str!("../../../config/hysio.yaml");
        let shipped = parse(text).expect("config/hysio.yaml is valid");
        let as_json = |config: &Config| serde_json::to_value(config).expect("serialisable");
        assert_eq!(as_json(&shipped), as_json(&Config::default()));
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let error = parse("http:\n  prot: 1\n")
            .expect_err("refused")
            .to_string();
        assert!(error.contains("prot"), "{error}");
    }

    #[test]
    fn the_seeds_queue_names_are_understood_and_a_wrong_one_is_named() {
        assert!(seed_value("QUEUE_NAMES", "worker.queues", "transcription,email").is_ok());
        let error =
            seed_value("QUEUE_NAMES", "worker.queues", "transcription,fax").expect_err("refused");
        assert!(error.to_string().contains("fax"), "{error}");
    }

    #[test]
    fn a_secret_is_not_printed() {
        let config = Config {
            database: Database {
                url: Some(Secret::new("postgres://u:pw@h")),
                ..Default::default()
            },
            ..Default::default()
        };
        assert!(!format!("{config:?}").contains("pw"));
    }
}
