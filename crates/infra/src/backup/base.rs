//! A base backup of the private server: received as a tar stream, written as plain files, and compared with the checksums
//! that the server sends along.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use super::replication::{Lsn, Replication, Wanted};
use super::{Cluster, Error, FileEntry, Progress, Result, Stage, Watcher, files};

/// PostgreSQL's own manifest, which its `pg_verifybackup` reads.
const SERVER_MANIFEST: &str = "backup_manifest";

pub(super) struct Base {
    pub cluster: Cluster,
    /// Relative to the directory that was filled.
    pub files: Vec<FileEntry>,
    /// The same.
    pub directories: Vec<String>,
}

/// Fills `dir` with a base backup. `enough_space` hears how many bytes are coming, and may refuse.
pub(super) fn receive(
    socket_dir: &Path,
    wanted: Wanted,
    dir: &Path,
    watcher: &dyn Watcher,
    enough_space: &dyn Fn(u64) -> Result<()>,
) -> Result<Base> {
    let mut connection = Replication::connect(socket_dir)?;
    let segment_bytes = connection.segment_bytes()?;
    connection.hold_log()?;
    let beginning = connection.begin(wanted)?;
    enough_space(beginning.bytes)?;
    files::create_private(dir)?;
    let (mut received, directories) = unpack(&mut connection, dir, beginning.bytes, watcher)?;
    let manifest = connection.manifest()?;
    let end = connection.finish()?;
    let server = ServerManifest::parse(&manifest)?;
    server.must_agree(&received, dir)?;
    let path = dir.join(SERVER_MANIFEST);
    let (bytes, sha256) = files::copy(&manifest[..], &path, watcher, &mut |_| {})?;
    received.push(FileEntry {
        path: SERVER_MANIFEST.to_owned(),
        bytes,
        sha256,
    });
    let cluster = Cluster {
        system_identifier: server.system_identifier,
        timeline: beginning.timeline,
        start_lsn: beginning.start_lsn.to_string(),
        end_lsn: Lsn::to_string(&end),
        segment_bytes,
    };
    Ok(Base {
        cluster,
        files: received,
        directories,
    })
}

fn unpack(
    connection: &mut Replication,
    dir: &Path,
    total: u64,
    watcher: &dyn Watcher,
) -> Result<(Vec<FileEntry>, Vec<String>)> {
    let mut archive = tar::Archive::new(connection.tar());
    let (mut received, mut directories) = (Vec::new(), Vec::new());
    let mut done = 0;
    let stream = |error: std::io::Error| server_error(error);
    for entry in archive.entries().map_err(stream)? {
        let entry = entry.map_err(stream)?;
        let path = entry.path().map_err(stream)?.into_owned();
        let target = inside(dir, &path)?;
        match entry.header().entry_type() {
            tar::EntryType::Directory => {
                files::create_private(&target)?;
                directories.push(path.to_string_lossy().into_owned());
            }
            tar::EntryType::Regular => {
                let (bytes, sha256) = files::copy(entry, &target, watcher, &mut |piece| {
                    done += piece;
                    watcher.progress(Progress {
                        stage: Stage::Database,
                        done,
                        total: total.max(done),
                    });
                })?;
                received.push(FileEntry {
                    path: path.to_string_lossy().into_owned(),
                    bytes,
                    sha256,
                });
            }
            // Only tablespaces are links.
            _ => return Err(Error::Tablespaces),
        }
    }
    let mut rest = Vec::new();
    archive
        .into_inner()
        .read_to_end(&mut rest)
        .map_err(stream)?;
    Ok((received, directories))
}

/// The reason that the reader was given, not that of the one who unpacks.
fn server_error(error: std::io::Error) -> Error {
    let said = error.to_string();
    match error
        .into_inner()
        .and_then(|inner| inner.downcast::<Error>().ok())
    {
        Some(ours) => *ours,
        None => Error::Server(said),
    }
}

/// The place below `dir`, which no name in the archive may leave.
fn inside(dir: &Path, path: &Path) -> Result<PathBuf> {
    if path
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
    {
        Ok(dir.join(path))
    } else {
        Err(Error::Server(format!(
            "it sent a file outside of its directory: {}",
            path.display()
        )))
    }
}

#[derive(Deserialize)]
struct ServerManifest {
    #[serde(rename = "System-Identifier")]
    system_identifier: u64,
    #[serde(rename = "Files")]
    files: Vec<ServerFile>,
}

#[derive(Deserialize)]
struct ServerFile {
    #[serde(rename = "Path")]
    path: Option<String>,
    #[serde(rename = "Size")]
    size: u64,
    #[serde(rename = "Checksum")]
    checksum: Option<String>,
}

impl ServerManifest {
    fn parse(text: &[u8]) -> Result<Self> {
        serde_json::from_slice(text)
            .map_err(|error| Error::Server(format!("it sent a manifest that is none: {error}")))
    }

    /// Whether everything arrived as it was sent. The log's segments are not in the server's list; each record in them has
    /// a checksum of its own.
    fn must_agree(&self, received: &[FileEntry], dir: &Path) -> Result<()> {
        let by_path: HashMap<&str, &FileEntry> = received
            .iter()
            .map(|entry| (entry.path.as_str(), entry))
            .collect();
        for sent in &self.files {
            let (Some(path), Some(checksum)) = (&sent.path, &sent.checksum) else {
                continue;
            };
            let found = by_path.get(path.as_str());
            if found.is_none_or(|entry| entry.bytes != sent.size || &entry.sha256 != checksum) {
                return Err(Error::Damaged {
                    path: dir.join(path),
                    detail: "it arrived otherwise than the server sent it".to_owned(),
                });
            }
        }
        Ok(())
    }
}
