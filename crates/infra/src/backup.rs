//! Backups of one machine: base backups of its PostgreSQL over the replication protocol, the archived write-ahead log that
//! brings one forward to any later moment, and the sealed recordings.
//!
//! A store is one directory:
//! - `<id>/`: a backup. `database/` is what PostgreSQL sent, `keys/` what was sealed of the keys, `manifest.json` names every
//!   file with its SHA-256, and `manifest.sha256` is the checksum of that. It appears by a rename, complete or not at all.
//! - `recordings/`: the audio, once, whichever backups name it: it is written once and never changes.
//! - `wal/<system identifier>/`: the log's segments, as the server archived them, compressed later.
//!
//! Everything here blocks; callers give it a thread.

mod base;
mod create;
mod error;
mod files;
mod gently;
mod manifest;
mod recordings;
mod replication;
mod restore;
mod store;
mod verify;
mod wal;

pub use create::{Created, Keys, Options, Source, create, keep_beside};
pub use error::Error;
pub use gently::gently;
pub use manifest::{Cluster, FileEntry, Manifest};
pub use restore::{Live, Restore, Restored, restore};
pub use store::{Damaged, Listing, Store};
pub use verify::{Problem, Verified, verify};

pub type Result<T> = std::result::Result<T, Error>;

/// What somebody who waits wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub stage: Stage,
    /// Bytes so far.
    pub done: u64,
    /// Bytes in all, as estimated at the beginning of the stage.
    pub total: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Database,
    Recordings,
    Log,
    Checking,
}

impl Stage {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Recordings => "recordings",
            Self::Log => "log",
            Self::Checking => "checking",
        }
    }
}

/// Who watches the work: hears of its progress, and can end it between two pieces.
pub trait Watcher: Sync {
    fn progress(&self, _at: Progress) {}

    fn cancelled(&self) -> bool {
        false
    }
}

/// Nobody watches.
pub struct Unwatched;

impl Watcher for Unwatched {}

/// Copies the recordings that the store does not have yet, so that a moment after the newest backup can be restored with
/// its audio, and compresses the segments that were archived. Returns how many of each.
///
/// # Errors
/// When a file cannot be read or written.
pub fn keep_up(
    store: &Store,
    live_recordings: &std::path::Path,
    watcher: &dyn Watcher,
) -> Result<(usize, usize)> {
    let copied = recordings::mirror(live_recordings, &store.recordings(), watcher)?;
    let mut compressed = 0;
    for archive in store.archives()? {
        compressed += wal::compress(&archive, watcher)?;
    }
    Ok((copied.new, compressed))
}
