//! Metric names and buckets, as the seed gives them. A rule or policy that names a metric names one of these.

pub const ACTIVE_HEALTHCARE_SESSIONS: &str = "hysio_active_healthcare_sessions";
pub const TRANSCRIPTION_DURATION_SECONDS: &str = "hysio_transcription_duration_seconds";
pub const DIAGNOSIS_CODE_ACCURACY: &str = "hysio_diagnosis_code_accuracy";
pub const PATIENT_DATA_QUERIES_TOTAL: &str = "hysio_patient_data_queries_total";
pub const DB_CONNECTION_POOL_USAGE: &str = "hysio_db_connection_pool_usage";
pub const DB_QUERY_DURATION_SECONDS: &str = "hysio_db_query_duration_seconds";
/// Jobs in a queue by state: what the queue's scaling goes by.
pub const QUEUE_DEPTH: &str = "hysio_queue_depth";
/// Age of the oldest unfinished job of a queue.
pub const QUEUE_OLDEST_SECONDS: &str = "hysio_queue_oldest_seconds";
pub const HTTP_REQUEST_DURATION_SECONDS: &str = "hysio_http_request_duration_seconds";
pub const JOBS_TOTAL: &str = "hysio_jobs_total";
pub const JOB_DURATION_SECONDS: &str = "hysio_job_duration_seconds";

pub const TRANSCRIPTION_BUCKETS: [f64; 8] = [0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0];
pub const QUERY_BUCKETS: [f64; 12] = [
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Every family that a Hysio process exports.
pub const ALL: [&str; 11] = [
    ACTIVE_HEALTHCARE_SESSIONS,
    TRANSCRIPTION_DURATION_SECONDS,
    DIAGNOSIS_CODE_ACCURACY,
    PATIENT_DATA_QUERIES_TOTAL,
    DB_CONNECTION_POOL_USAGE,
    DB_QUERY_DURATION_SECONDS,
    QUEUE_DEPTH,
    QUEUE_OLDEST_SECONDS,
    HTTP_REQUEST_DURATION_SECONDS,
    JOBS_TOTAL,
    JOB_DURATION_SECONDS,
];
