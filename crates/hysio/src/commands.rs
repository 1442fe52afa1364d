//! One file a subcommand.

pub mod app;
pub mod audit;
pub mod backup;
pub mod capacity;
pub mod cluster;
pub mod code;
pub mod codes;
pub mod codes_evaluation;
pub mod conformance;
pub mod diagnosecode;
pub mod doctor;
pub mod emergency;
pub mod evaluate;
pub mod facility;
pub mod keys;
pub mod load;
pub mod migrate;
pub mod openapi;
mod output;
pub mod partition;
mod replay;
pub mod scale;
pub mod scaler;
pub mod simulate;
mod table;
pub mod trace;
pub mod transcribe;
pub mod transcription;
pub mod up;
pub mod user;
pub mod worker;

use futures::future::LocalBoxFuture;

/// Runs a command that talks to the database and ends. As one type of future, as the runtime is compiled anew for each.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let work: LocalBoxFuture<'_, _> = Box::pin(work);
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(work)
}
