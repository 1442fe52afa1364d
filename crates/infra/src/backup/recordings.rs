//! The audio of a store: each recording once, whichever backups name it. It is sealed already, written once under an id of
//! its own, and never changes, so what is there need not be copied again.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::{Error, FileEntry, Manifest, Progress, Result, Stage, Watcher, files};

/// What no backup names may be about to be named by one.
const UNNAMED_FOR: Duration = Duration::from_secs(48 * 3600);

pub(super) struct Mirrored {
    /// Every recording of the live directory, relative to it; the hash of those that were copied now.
    all: Vec<(String, u64, Option<String>)>,
    pub new: usize,
}

/// Copies what the store does not have yet.
pub(super) fn mirror(live: &Path, kept: &Path, watcher: &dyn Watcher) -> Result<Mirrored> {
    let found: Vec<_> = files::files_below(live)?
        .into_iter()
        .filter(|(path, _)| !is_draft(path))
        .collect();
    let total = found.iter().map(|(_, bytes)| bytes).sum();
    let mut done = 0;
    let mut mirrored = Mirrored {
        all: Vec::new(),
        new: 0,
    };
    for (path, bytes) in found {
        let has = fs::metadata(kept.join(&path)).is_ok_and(|data| data.len() == bytes);
        let hash = if has {
            None
        } else {
            match copy(&live.join(&path), &kept.join(&path), watcher)? {
                Some(hash) => Some(hash),
                // Swept away since it was listed: audio that no recording names.
                None => continue,
            }
        };
        mirrored.new += usize::from(hash.is_some());
        done += bytes;
        watcher.progress(Progress {
            stage: Stage::Recordings,
            done,
            total,
        });
        mirrored.all.push((path, bytes, hash));
    }
    Ok(mirrored)
}

impl Mirrored {
    /// As entries of a manifest. Hashes come from the copying, from earlier backups, or from reading the copy.
    pub fn entries(
        self,
        kept: &Path,
        earlier: &[Manifest],
        watcher: &dyn Watcher,
    ) -> Result<Vec<FileEntry>> {
        let known: HashMap<&str, &FileEntry> = earlier
            .iter()
            .flat_map(|manifest| &manifest.recordings)
            .map(|entry| (entry.path.as_str(), entry))
            .collect();
        let mut entries = Vec::new();
        for (path, bytes, hash) in self.all {
            let known = known
                .get(path.as_str())
                .filter(|entry| entry.bytes == bytes)
                .map(|entry| entry.sha256.clone());
            let sha256 = match hash.or(known) {
                Some(sha256) => sha256,
                None => files::sha256(&kept.join(&path), watcher, &mut |_| {})?.1,
            };
            entries.push(FileEntry {
                path,
                bytes,
                sha256,
            });
        }
        Ok(entries)
    }
}

/// Bytes that [`mirror`] would copy.
pub(super) fn missing_bytes(live: &Path, kept: &Path) -> Result<u64> {
    let found = files::files_below(live)?;
    Ok(found
        .iter()
        .filter(|(path, bytes)| {
            !fs::metadata(kept.join(path)).is_ok_and(|data| data.len() == *bytes)
        })
        .map(|(_, bytes)| bytes)
        .sum())
}

/// Removes what neither a backup nor the live directory has, and what broken-off copies left.
pub(super) fn prune(kept: &Path, live: &Path, manifests: &[Manifest]) -> Result<()> {
    let named: HashSet<&str> = manifests
        .iter()
        .flat_map(|manifest| &manifest.recordings)
        .map(|entry| entry.path.as_str())
        .collect();
    for (path, _) in files::files_below(kept)? {
        let file = kept.join(&path);
        if named.contains(path.as_str()) || live.join(&path).exists() || is_recent(&file) {
            continue;
        }
        fs::remove_file(&file).map_err(Error::io("remove", &file))?;
    }
    Ok(())
}

fn is_recent(file: &Path) -> bool {
    let modified = fs::metadata(file).and_then(|data| data.modified());
    modified.is_ok_and(|at| {
        SystemTime::now()
            .duration_since(at)
            .is_ok_and(|age| age < UNNAMED_FOR)
    })
}

/// Uploads that are still arriving, and copies that are.
fn is_draft(path: &str) -> bool {
    path.contains('#') || path.ends_with(".partial")
}

fn copy(from: &Path, to: &Path, watcher: &dyn Watcher) -> Result<Option<String>> {
    let source = match File::open(from) {
        Ok(source) => source,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", from)(error)),
    };
    let folder = to.parent().unwrap_or(to);
    files::create_private(folder)?;
    let draft = to.with_extension("partial");
    files::remove_file(&draft)?;
    let (_, sha256) = files::copy(source, &draft, watcher, &mut |_| {})?;
    fs::rename(&draft, to).map_err(Error::io("rename", &draft))?;
    files::sync_dir(folder)?;
    Ok(Some(sha256))
}

#[cfg(test)]
mod tests {
    use super::super::Unwatched;
    use super::*;

    #[test]
    fn a_recording_is_copied_once_and_an_upload_not_at_all() {
        let place = tempfile::tempdir().unwrap();
        let (live, kept) = (place.path().join("live"), place.path().join("kept"));
        fs::create_dir_all(live.join("1")).unwrap();
        fs::write(live.join("1/a"), b"sealed").unwrap();
        fs::write(live.join("1/b#1"), b"arriving").unwrap();
        let first = mirror(&live, &kept, &Unwatched).unwrap();
        assert_eq!(first.new, 1);
        let second = mirror(&live, &kept, &Unwatched).unwrap();
        assert_eq!(second.new, 0);
        let entries = second.entries(&kept, &[], &Unwatched).unwrap();
        assert_eq!(entries, first.entries(&kept, &[], &Unwatched).unwrap());
        assert_eq!(entries.len(), 1);
        assert_eq!(fs::read(kept.join("1/a")).unwrap(), b"sealed");
    }
}
