//! The metrics of a process, under the names of [`hysio_scaling::metrics`]. Labels come from closed lists: no patient, no
//! user, no free text.

use std::{sync::Arc, time::Duration};

use crate::presence::Tally;
use hysio_model::{QueueName, Specialty};
use hysio_scaling::metrics as names;
use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Sessions {
    facility: String,
    role: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Heard {
    language: &'static str,
    specialty: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Coded {
    specialty: String,
    model_version: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PatientQuery {
    query_type: &'static str,
    result_status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DbPool {
    pool_name: &'static str,
    database: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DbQuery {
    query_type: &'static str,
    table: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Queue {
    queue: &'static str,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: String,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct JobEnd {
    queue: &'static str,
    outcome: &'static str,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    sessions: Family<Sessions, Gauge>,
    transcription: Family<Heard, Histogram>,
    accuracy: Family<Coded, Gauge<f64, std::sync::atomic::AtomicU64>>,
    patient_queries: Family<PatientQuery, Counter>,
    pool_usage: Family<DbPool, Gauge<f64, std::sync::atomic::AtomicU64>>,
    db_queries: Family<DbQuery, Histogram>,
    depth: Family<Queue, Gauge>,
    oldest: Family<Queue, Gauge<f64, std::sync::atomic::AtomicU64>>,
    requests: Family<Request, Histogram>,
    jobs: Family<JobEnd, Counter>,
    job_seconds: Family<JobEnd, Histogram>,
    tally: Tally,
}

const PATIENT_QUERY_TYPES: [&str; 6] = [
    "patient",
    "patient_list",
    "encounter",
    "encounter_list",
    "record",
    "recording",
];
pub const QUEUE_STATES: [&str; 3] = ["ready", "leased", "dead"];

impl Metrics {
    /// All families, each with the labels known beforehand at zero, so that `rate()` sees the first event.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let query_histogram = || Histogram::new(names::QUERY_BUCKETS);
        let metrics = Self {
            sessions: Family::default(),
            transcription: Family::new_with_constructor(|| {
                Histogram::new(names::TRANSCRIPTION_BUCKETS)
            }),
            accuracy: Family::default(),
            patient_queries: Family::default(),
            pool_usage: Family::default(),
            db_queries: Family::new_with_constructor(query_histogram),
            depth: Family::default(),
            oldest: Family::default(),
            requests: Family::new_with_constructor(query_histogram),
            jobs: Family::default(),
            job_seconds: Family::new_with_constructor(|| {
                Histogram::new(names::TRANSCRIPTION_BUCKETS)
            }),
            tally: Tally::default(),
            registry: Arc::default(),
        };
        metrics.register(&mut registry);
        metrics.start_at_zero();
        Self {
            registry: Arc::new(registry),
            ..metrics
        }
    }

    fn register(&self, registry: &mut Registry) {
        // The encoder adds `_total` to counters by itself.
        let counter = |name: &'static str| name.trim_end_matches("_total");
        registry.register(
            names::ACTIVE_HEALTHCARE_SESSIONS,
            "Number of active healthcare professional sessions",
            self.sessions.clone(),
        );
        registry.register(
            names::TRANSCRIPTION_DURATION_SECONDS,
            "Duration of medical transcription processing",
            self.transcription.clone(),
        );
        registry.register(
            names::DIAGNOSIS_CODE_ACCURACY,
            "Share of the suggested codes that clinicians decided on and accepted",
            self.accuracy.clone(),
        );
        registry.register(
            counter(names::PATIENT_DATA_QUERIES_TOTAL),
            "Patient data queries",
            self.patient_queries.clone(),
        );
        registry.register(
            names::DB_CONNECTION_POOL_USAGE,
            "Database connection pool usage in percent",
            self.pool_usage.clone(),
        );
        registry.register(
            names::DB_QUERY_DURATION_SECONDS,
            "Database query execution time",
            self.db_queries.clone(),
        );
        registry.register(names::QUEUE_DEPTH, "Jobs in a queue", self.depth.clone());
        registry.register(
            names::QUEUE_OLDEST_SECONDS,
            "Age of the oldest job of a queue",
            self.oldest.clone(),
        );
        registry.register(
            names::HTTP_REQUEST_DURATION_SECONDS,
            "Time to answer a request",
            self.requests.clone(),
        );
        registry.register(
            counter(names::JOBS_TOTAL),
            "Jobs that ended",
            self.jobs.clone(),
        );
        registry.register(
            names::JOB_DURATION_SECONDS,
            "Time from taking a job to its end",
            self.job_seconds.clone(),
        );
    }

    fn start_at_zero(&self) {
        for query_type in PATIENT_QUERY_TYPES {
            for result_status in ["success", "not_found"] {
                drop(self.patient_queries.get_or_create(&PatientQuery {
                    query_type,
                    result_status,
                }));
            }
        }
        for queue in QueueName::ALL.map(QueueName::as_str) {
            for state in QUEUE_STATES {
                drop(self.depth.get_or_create(&Queue { queue, state }));
                drop(self.oldest.get_or_create(&Queue { queue, state }));
            }
            for outcome in ["done", "retry", "dead", "lost"] {
                drop(self.jobs.get_or_create(&JobEnd { queue, outcome }));
            }
        }
        for language in ["en", "nl"] {
            drop(self.transcription.get_or_create(&Heard {
                language,
                specialty: "unknown",
            }));
        }
        drop(self.sessions.get_or_create(&Sessions {
            facility: "none".into(),
            role: "operator".into(),
        }));
        drop(self.pool_usage.get_or_create(&DbPool {
            pool_name: "primary",
            database: "hysio",
        }));
        drop(self.db_queries.get_or_create(&DbQuery {
            query_type: "transaction",
            table: "patient_records",
        }));
        drop(self.accuracy.get_or_create(&Coded {
            specialty: "unknown".into(),
            model_version: "none".into(),
        }));
    }

    /// The same counts as this process tells about itself.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The exposition format that Prometheus reads.
    #[must_use]
    pub fn render(&self) -> String {
        let mut out = String::new();
        text::encode(&mut out, &self.registry).expect("writing to a string does not fail");
        out
    }

    pub fn transcribed(
        &self,
        language: &'static str,
        specialty: Option<Specialty>,
        took: Duration,
    ) {
        let specialty = specialty.map_or("unknown", Specialty::as_str);
        self.transcription
            .get_or_create(&Heard {
                language,
                specialty,
            })
            .observe(took.as_secs_f64());
    }

    pub fn patient_query(&self, query_type: &'static str, found: bool) {
        let result_status = if found { "success" } else { "not_found" };
        self.patient_queries
            .get_or_create(&PatientQuery {
                query_type,
                result_status,
            })
            .inc();
    }

    /// One database transaction of a request or job.
    pub fn db_query(&self, query_type: &'static str, table: &'static str, took: Duration) {
        self.db_queries
            .get_or_create(&DbQuery { query_type, table })
            .observe(took.as_secs_f64());
    }

    pub fn pool_usage(&self, used: usize, size: usize) {
        let percent = 100.0 * count(used) / count(size.max(1));
        self.pool_usage
            .get_or_create(&DbPool {
                pool_name: "primary",
                database: "hysio",
            })
            .set(percent);
    }

    pub fn request(&self, method: &str, route: &str, status: u16, took: Duration) {
        let labels = Request {
            method: method.to_owned(),
            route: route.to_owned(),
            status,
        };
        self.tally.ended(status >= 500, took);
        self.requests
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    pub fn job(&self, queue: QueueName, outcome: &'static str, took: Duration) {
        let labels = JobEnd {
            queue: queue.as_str(),
            outcome,
        };
        self.tally.ended(outcome == "dead", took);
        self.jobs.get_or_create(&labels).inc();
        self.job_seconds
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    pub fn queue(&self, queue: QueueName, state: &'static str, jobs: i64, oldest_seconds: f64) {
        let labels = Queue {
            queue: queue.as_str(),
            state,
        };
        self.depth.get_or_create(&labels).set(jobs);
        self.oldest.get_or_create(&labels).set(oldest_seconds);
    }

    /// Replaces all session gauges, so that those of a facility where nobody is signed in any more go to zero.
    pub fn sessions(&self, active: &[hysio_infra::postgres::statistics::ActiveSessions]) {
        self.sessions.clear();
        for group in active {
            let facility = group
                .facility
                .map_or_else(|| "none".to_owned(), |id| id.to_string());
            self.sessions
                .get_or_create(&Sessions {
                    facility,
                    role: group.role.clone(),
                })
                .set(group.sessions);
        }
    }

    pub fn accuracy(&self, specialty: &str, model: &str, accepted: i64, rejected: i64) {
        let labels = Coded {
            specialty: specialty.to_owned(),
            model_version: model.to_owned(),
        };
        let decided = (accepted + rejected).max(1);
        self.accuracy
            .get_or_create(&labels)
            .set(share(accepted, decided));
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of connections and decisions are far below 2^52"
)]
fn share(part: i64, whole: i64) -> f64 {
    part as f64 / whole as f64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of connections are far below 2^52"
)]
fn count(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_six_families_and_the_queues_are_there_before_anything_has_happened() {
        let text = Metrics::new().render();
        for name in [
            names::ACTIVE_HEALTHCARE_SESSIONS,
            names::TRANSCRIPTION_DURATION_SECONDS,
            names::DIAGNOSIS_CODE_ACCURACY,
            names::PATIENT_DATA_QUERIES_TOTAL,
            names::DB_CONNECTION_POOL_USAGE,
            names::DB_QUERY_DURATION_SECONDS,
            names::QUEUE_DEPTH,
        ] {
            assert!(
                text.lines()
                    .any(|line| line.starts_with(name) && line.contains('{')),
                "{name} is missing:\n{text}"
            );
        }
    }

    #[test]
    fn the_buckets_are_the_seeds() {
        let metrics = Metrics::new();
        metrics.transcribed("en", Some(Specialty::Cardiology), Duration::from_secs(3));
        let text = metrics.render();
        let line = r#"hysio_transcription_duration_seconds_bucket{le="5.0",language="en",specialty="cardiology"} 1"#;
        assert!(text.contains(line), "{text}");
    }
}
