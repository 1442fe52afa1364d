//! Logs: JSON lines on standard error for machines, short lines on a terminal. Ids only; see `docs/logging.md`.

use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::EnvFilter;

/// An error with all that caused it, on one line. Errors of ours hold no patient data.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// To be called once a process. `HYSIO_LOG` filters, as `tracing` filters are written.
pub fn install() {
    let filter = EnvFilter::try_from_env("HYSIO_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,refinery_core=warn,symphonia=error,symphonia_core=error,symphonia_bundle_mp3=error"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr);
    // A second installation, as tests do, keeps the first.
    let _ = if stderr().is_terminal() {
        builder.compact().try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    };
}
