//! HTTP, one file a resource. A handler takes the request apart, calls the store, and maps what comes back.

pub mod app;
mod audit;
mod capacity;
mod codes;
pub mod diagnosecode;
mod encounters;
mod events;
mod extract;
pub mod health;
mod idempotency;
mod jobs;
mod learning;
mod patients;
pub mod problem;
pub(crate) mod recordings;
mod records;
mod scaling;
mod seen;
mod session;
mod signed_in;
mod suggestions;
pub mod transcription;
pub mod ui;
mod upload;
mod users;

pub use session::hash_password;
