//! Files that are copied and checked by their SHA-256, and are on stable storage when a function returns.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};

use super::{Error, FileEntry, Result, Watcher};

const PIECE: usize = 256 * 1024;

/// Copies a stream into a new private file and returns its length and SHA-256. `count` hears of every piece.
pub(super) fn copy(
    mut from: impl Read,
    to: &Path,
    watcher: &dyn Watcher,
    count: &mut dyn FnMut(u64),
) -> Result<(u64, String)> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)
        .map_err(Error::io("create", to))?;
    let hashed = hash_into(&mut from, watcher, &mut |piece| {
        file.write_all(piece).map_err(Error::io("write", to))?;
        count(piece.len() as u64);
        Ok(())
    })?;
    file.sync_all().map_err(Error::io("write", to))?;
    Ok(hashed)
}

/// The length and SHA-256 of a file.
pub(super) fn sha256(
    path: &Path,
    watcher: &dyn Watcher,
    count: &mut dyn FnMut(u64),
) -> Result<(u64, String)> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    hash_into(&mut &file, watcher, &mut |piece| {
        count(piece.len() as u64);
        Ok(())
    })
}

/// Copies a file that must be what its entry says.
pub(super) fn copy_checked(
    from: &Path,
    to: &Path,
    entry: &FileEntry,
    watcher: &dyn Watcher,
    count: &mut dyn FnMut(u64),
) -> Result<()> {
    let file = File::open(from).map_err(|error| damaged(from, &error.to_string()))?;
    let (bytes, sha256) = copy(file, to, watcher, count)?;
    if bytes != entry.bytes {
        return Err(damaged(
            from,
            &format!("it has {bytes} bytes, not {}", entry.bytes),
        ));
    }
    if sha256 != entry.sha256 {
        return Err(damaged(from, "its SHA-256 is another"));
    }
    Ok(())
}

fn damaged(path: &Path, detail: &str) -> Error {
    Error::Damaged {
        path: path.to_owned(),
        detail: detail.to_owned(),
    }
}

fn hash_into(
    from: &mut impl Read,
    watcher: &dyn Watcher,
    take: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<(u64, String)> {
    let mut context = Context::new(&SHA256);
    let mut piece = vec![0; PIECE];
    let mut bytes = 0;
    loop {
        if watcher.cancelled() {
            return Err(Error::Cancelled);
        }
        let read = match from.read(&mut piece) {
            Ok(0) => return Ok((bytes, hex::encode(context.finish()))),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::Server(error.to_string())),
        };
        context.update(&piece[..read]);
        take(&piece[..read])?;
        bytes += read as u64;
    }
}

/// A small private file, whole on stable storage.
pub(super) fn write_durably(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(Error::io("create", path))?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(Error::io("write", path))
}

/// A directory for its owner alone, and those on the way to it.
pub(super) fn create_private(path: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(Error::io("create", path))
}

/// Removing what is not there is no error.
pub(super) fn remove_file(path: &Path) -> Result<()> {
    unless_missing(fs::remove_file(path)).map_err(Error::io("remove", path))
}

/// Removes a directory with all that is in it; one that is not there is no error.
pub(super) fn remove_dir(dir: &Path) -> Result<()> {
    unless_missing(fs::remove_dir_all(dir)).map_err(Error::io("remove", dir))
}

fn unless_missing(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Makes the names in a directory, and in those below it, stable.
pub(super) fn sync_tree(dir: &Path) -> Result<()> {
    for entry in read_dir(dir)? {
        if entry.is_dir() && !entry.is_symlink() {
            sync_tree(&entry)?;
        }
    }
    sync_dir(dir)
}

pub(super) fn sync_dir(dir: &Path) -> Result<()> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(Error::io("write", dir))
}

/// What is in a directory, sorted; nothing when it is not there.
pub(super) fn read_dir(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("read", dir)(error)),
    };
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()
        .map_err(Error::io("read", dir))?;
    paths.sort();
    Ok(paths)
}

/// Every file below a directory, as paths relative to it, with their lengths.
pub(super) fn files_below(dir: &Path) -> Result<Vec<(String, u64)>> {
    let mut found = Vec::new();
    walk(dir, dir, &mut found)?;
    Ok(found)
}

fn walk(root: &Path, dir: &Path, found: &mut Vec<(String, u64)>) -> Result<()> {
    for path in read_dir(dir)? {
        let data = match fs::symlink_metadata(&path) {
            Ok(data) => data,
            // Gone since it was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(Error::io("look at", &path)(error)),
        };
        if data.is_dir() {
            walk(root, &path, found)?;
        } else {
            let relative = path.strip_prefix(root).unwrap_or(&path);
            found.push((relative.to_string_lossy().into_owned(), data.len()));
        }
    }
    Ok(())
}

/// Bytes that this process may still write to the disk of `dir`.
pub(super) fn free_bytes(dir: &Path) -> Result<u64> {
    let space = rustix::fs::statvfs(dir)
        .map_err(|errno| Error::io("look at the disk of", dir)(errno.into()))?;
    Ok(space.f_bavail.saturating_mul(space.f_frsize))
}
