//! Configuration: defaults here, then a YAML file, then the environment (`HYSIO__SECTION__KEY`), then the seed's own
//! names (`DATABASE_POOL_SIZE` and so on). An unknown key is refused. Secrets come by file or environment and are not
//! printed.

mod services;
mod storage;

use std::{
    fmt,
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

pub use self::{
    services::{
        Diagnosecode, EngineServer, Http, PrometheusServer, Reranker, Scaling, Session, Smtp,
        Transcription, Worker,
    },
    storage::{Backup, Database, DatabaseNode, Failover, Paths, PgBouncer, Redis},
};

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
            self.backup.command.is_empty() || self.database.url.is_some(),
            "backup.command is for an external database: set database.url, or leave it out"
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
