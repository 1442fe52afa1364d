//! What each service is told.

use std::{net::SocketAddr, path::PathBuf};

use hysio_model::QueueName;
use serde::{Deserialize, Serialize};

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
