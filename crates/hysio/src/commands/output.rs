//! Writing to standard output, whose reader may stop early: `hysio codes search pain | head`.

use std::io::{self, Write};

use anyhow::Context;

/// What came of writing to standard output, where that nobody reads on is no failure.
pub fn unless_closed(written: anyhow::Result<()>) -> anyhow::Result<()> {
    let closed = |error: &anyhow::Error| {
        error.chain().any(|cause| {
            let of_json = cause.downcast_ref::<serde_json::Error>();
            let kind = match cause.downcast_ref::<io::Error>() {
                Some(error) => Some(error.kind()),
                None => of_json.and_then(serde_json::Error::io_error_kind),
            };
            kind == Some(io::ErrorKind::BrokenPipe)
        })
    };
    match written {
        Err(error) if closed(&error) => Ok(()),
        other => other,
    }
}

/// Prints a text. That nobody reads on is no failure.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    unless_closed(written.context("writing to standard output"))
}
