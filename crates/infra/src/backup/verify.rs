//! Proving that a backup is still what was backed up.

use std::collections::HashSet;
use std::path::PathBuf;

use super::create::DATABASE;
use super::manifest::{self, Manifest};
use super::replication::Lsn;
use super::{FileEntry, Progress, Result, Stage, Store, Watcher, files, wal};

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub path: PathBuf,
    pub what: String,
}

#[derive(Debug, Default)]
pub struct Verified {
    pub files: usize,
    pub bytes: u64,
    /// Files of the backup that are not what they were. One is enough to make it worthless.
    pub problems: Vec<Problem>,
    /// What keeps later moments from being restored, while the backup itself is good.
    pub log_problems: Vec<Problem>,
}

impl Verified {
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.problems.is_empty() && self.log_problems.is_empty()
    }
}

/// Reads every file of a backup and every segment of the log since, and names what is missing, changed or too many.
///
/// # Errors
/// When the store itself cannot be read, or the watcher ends it.
pub fn verify(store: &Store, manifest: &Manifest, watcher: &dyn Watcher) -> Result<Verified> {
    let mut verified = Verified::default();
    let dir = store.backup(manifest.id);
    let places = manifest
        .files
        .iter()
        .map(|entry| (dir.join(&entry.path), entry));
    let audio = manifest
        .recordings
        .iter()
        .map(|entry| (store.recordings().join(&entry.path), entry));
    for (path, entry) in places.chain(audio) {
        let total = manifest.bytes();
        let done = verified.bytes;
        let mut here = 0;
        let checked = check(&path, entry, watcher, &mut |piece| {
            here += piece;
            watcher.progress(Progress {
                stage: Stage::Checking,
                done: done + here,
                total,
            });
        })?;
        verified.files += 1;
        verified.bytes += entry.bytes;
        verified
            .problems
            .extend(checked.map(|what| Problem { path, what }));
    }
    verified.problems.extend(unlisted(store, manifest)?);
    verified.log_problems = check_log(store, manifest, watcher)?;
    Ok(verified)
}

fn check(
    path: &std::path::Path,
    entry: &FileEntry,
    watcher: &dyn Watcher,
    count: &mut dyn FnMut(u64),
) -> Result<Option<String>> {
    let found = match files::sha256(path, watcher, count) {
        Ok(found) => found,
        Err(super::Error::Cancelled) => return Err(super::Error::Cancelled),
        Err(super::Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Some("is missing".to_owned()));
        }
        Err(error) => return Ok(Some(format!("cannot be read: {error}"))),
    };
    let (bytes, sha256) = found;
    if bytes != entry.bytes {
        return Ok(Some(format!(
            "has {bytes} bytes instead of {}",
            entry.bytes
        )));
    }
    Ok((sha256 != entry.sha256).then(|| "was changed: its SHA-256 is another".to_owned()))
}

/// Files in the backup's directory that the manifest does not name.
fn unlisted(store: &Store, manifest: &Manifest) -> Result<Vec<Problem>> {
    let dir = store.backup(manifest.id);
    let named: HashSet<&str> = manifest
        .files
        .iter()
        .map(|entry| entry.path.as_str())
        .chain([manifest::FILE, manifest::CHECKSUM_FILE])
        .collect();
    let found = files::files_below(&dir)?;
    Ok(found
        .into_iter()
        .filter(|(path, _)| !named.contains(path.as_str()))
        .map(|(path, _)| Problem {
            path: dir.join(path),
            what: "does not belong to the backup".to_owned(),
        })
        .collect())
}

fn check_log(store: &Store, manifest: &Manifest, watcher: &dyn Watcher) -> Result<Vec<Problem>> {
    let cluster = &manifest.cluster;
    let archive = store.archive(cluster.system_identifier);
    let own = store.backup(manifest.id).join(DATABASE).join("pg_wal");
    let end =
        Lsn::parse(&cluster.end_lsn).map(|lsn| lsn.0.saturating_sub(1) / cluster.segment_bytes);
    let mut problems: Vec<Problem> = wal::unreadable(&archive, cluster, watcher)?
        .into_iter()
        .map(|path| Problem {
            path,
            what: "cannot be read to its end: moments after it cannot be restored".to_owned(),
        })
        .collect();
    if let Some(missing) = wal::first_gap(&[&archive, &own], cluster, end)? {
        problems.push(Problem {
            path: archive.join(missing),
            what: "is missing: moments after it cannot be restored".to_owned(),
        });
    }
    Ok(problems)
}
