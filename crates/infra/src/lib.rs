//! Adapters, named by technology, and the cryptography that they store and send with. The only place that knows
//! PostgreSQL, SMTP, the file system and other servers.

pub mod audit;
pub mod backup;
pub mod blobs;
pub mod cipher;
pub mod diagnosecode_client;
pub mod embedded_postgres;
pub mod openai;
pub mod pdf;
pub mod postgres;
pub mod process;
pub mod prometheus;
pub mod rate_limit;
pub mod redis;
mod secret_file;
pub mod smtp;
pub mod trust;
