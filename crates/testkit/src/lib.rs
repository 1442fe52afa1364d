//! What tests stand on: the real servers, started for the test, and stand-ins for what can't be had on one machine.
//!
//! For development only: nothing that ships depends on this crate. It shares the starter of the embedded database with the
//! product (`hysio_infra::embedded_postgres`), so that every test also tests that.

mod browser;
mod cluster;
mod database;
mod process;
mod small_disk;
mod smtp;

use std::path::{Path, PathBuf};

pub use browser::{Browser, Microphone};
pub use database::TestDatabase;
pub use process::{Hysio, free_port};
pub use small_disk::SmallDisk;
pub use smtp::{Mail, Smtp};

/// The folder that the installer fills: `HYSIO_VENDOR`, or `vendor` in the repository.
#[must_use]
pub fn vendor_dir() -> PathBuf {
    std::env::var_os("HYSIO_VENDOR").map_or_else(|| repository_dir().join("vendor"), PathBuf::from)
}

/// The root of the repository.
///
/// # Panics
/// When the repository was moved away since the tests were built.
#[must_use]
pub fn repository_dir() -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    crates
        .canonicalize()
        .expect("the repository is where the tests were built")
}
