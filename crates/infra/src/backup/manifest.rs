//! What a backup consists of, and the proof that it still does.

use std::fs;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Error, Result, files};

pub(super) const FILE: &str = "manifest.json";
/// In the form of `sha256sum`, so that it can be checked without Hysio.
pub(super) const CHECKSUM_FILE: &str = "manifest.sha256";
const FORMAT: u32 = 1;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    pub id: Uuid,
    /// The earliest moment that can be restored from it: when PostgreSQL had sent everything.
    pub taken_at: Timestamp,
    /// The version of Hysio that made it.
    pub hysio: String,
    pub cluster: Cluster,
    /// The id of the master key that opens what is sealed in it; None when there was none.
    pub master_key_id: Option<String>,
    /// Whether the keys lie in the backup in the clear (`--with-keys`).
    pub with_keys: bool,
    /// Every directory of the cluster, as some are empty and must be there.
    pub directories: Vec<String>,
    /// Paths are relative to the backup's own directory.
    pub files: Vec<FileEntry>,
    /// Paths are relative to the store's `recordings/`.
    pub recordings: Vec<FileEntry>,
}

/// The PostgreSQL that it was taken from, and the part of its log that belongs to the backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    pub system_identifier: u64,
    pub timeline: u32,
    /// `0/2000028`.
    pub start_lsn: String,
    pub end_lsn: String,
    pub segment_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    pub path: String,
    pub bytes: u64,
    /// 64 hex digits.
    pub sha256: String,
}

impl Manifest {
    pub(super) const FORMAT: u32 = FORMAT;

    /// All that it takes to restore it, the shared recordings included.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.entries().map(|entry| entry.bytes).sum()
    }

    #[must_use]
    pub fn count(&self) -> usize {
        self.files.len() + self.recordings.len()
    }

    fn entries(&self) -> impl Iterator<Item = &FileEntry> {
        self.files.iter().chain(&self.recordings)
    }

    /// Writes it and its checksum into a backup's directory.
    pub(super) fn write(&self, dir: &Path) -> Result<()> {
        let path = dir.join(FILE);
        let text = serde_json::to_vec_pretty(self).map_err(|error| Error::Manifest {
            path: path.clone(),
            detail: error.to_string(),
        })?;
        let checksum = format!("{}  {FILE}\n", hex::encode(digest(&SHA256, &text)));
        files::write_durably(&path, &text)?;
        files::write_durably(&dir.join(CHECKSUM_FILE), checksum.as_bytes())
    }

    /// Reads the manifest of a backup's directory.
    ///
    /// # Errors
    /// [`Error::Manifest`] when it is missing, was changed, or was written by a later Hysio.
    pub(super) fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(FILE);
        let distrust = |detail: String| Error::Manifest {
            path: path.clone(),
            detail,
        };
        let text = fs::read(&path).map_err(|error| distrust(error.to_string()))?;
        let noted = fs::read_to_string(dir.join(CHECKSUM_FILE))
            .map_err(|error| distrust(format!("{CHECKSUM_FILE}: {error}")))?;
        let found = hex::encode(digest(&SHA256, &text));
        if noted.split_whitespace().next() != Some(found.as_str()) {
            return Err(distrust(format!(
                "its SHA-256 is not that of {CHECKSUM_FILE}"
            )));
        }
        let manifest: Self =
            serde_json::from_slice(&text).map_err(|error| distrust(error.to_string()))?;
        if manifest.format != FORMAT {
            return Err(distrust(format!(
                "its format is {} and this Hysio reads {FORMAT}",
                manifest.format
            )));
        }
        Ok(manifest)
    }
}
