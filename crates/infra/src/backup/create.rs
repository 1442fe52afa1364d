//! Making a backup.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use uuid::Uuid;

use super::replication::Wanted;
use super::store::Lock;
use super::{Error, FileEntry, Manifest, Result, Store, Watcher, base, files, recordings};
use crate::cipher::MasterKeys;

/// Where a backup's parts lie in it.
pub(super) const DATABASE: &str = "database";
pub(super) const KEYS: &str = "keys";
pub(super) const MASTER_KEY: &str = "master.key";
pub(super) const AUDIT_KEY: &str = "audit.key";
pub(super) const SEALED_AUDIT_KEY: &str = "audit.key.sealed";

/// What is left free for the log that is written meanwhile, and for everybody else.
const RESERVE_BYTES: u64 = 256 * 1024 * 1024;

/// What is backed up.
#[derive(Clone, Debug)]
pub struct Source {
    /// The socket directory of the running private server.
    pub socket_dir: PathBuf,
    /// Where the sealed recordings lie.
    pub recordings: PathBuf,
    pub keys: Keys,
}

#[derive(Clone, Debug)]
pub struct Keys {
    pub master: PathBuf,
    pub audit: PathBuf,
    /// Puts both into the backup in the clear. Without it, the audit key is sealed under the master key, which stays out.
    pub in_the_clear: bool,
}

/// How it is done.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Backups to keep, this one included; at least one is.
    pub keep: usize,
    /// Kilobytes a second that are read from the database at most (32 to 1 048 576).
    pub rate: Option<u32>,
    /// Begins with a checkpoint that takes minutes and disturbs nobody, instead of one at once.
    pub spread: bool,
    /// Bytes that must be left on the disk afterwards.
    pub reserve_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            keep: 7,
            rate: None,
            spread: false,
            reserve_bytes: RESERVE_BYTES,
        }
    }
}

#[derive(Debug)]
pub struct Created {
    pub manifest: Manifest,
    pub path: PathBuf,
    /// Older backups that were one too many.
    pub removed: Vec<Uuid>,
}

/// Makes a backup while the server goes on working, then removes those that are too many. Whatever goes wrong, what was
/// there before is as it was, and nothing half-done is listed.
///
/// # Errors
/// [`Error::DiskShort`] before anything is written, [`Error::Busy`], [`Error::Cancelled`]; the server's own reason.
pub fn create(
    store: &Store,
    source: &Source,
    options: Options,
    watcher: &dyn Watcher,
) -> Result<Created> {
    let lock = store.lock()?;
    let id = Uuid::now_v7();
    let made = fill(store, source, options, id, watcher)
        .and_then(|manifest| store.complete(id, &lock).map(|()| manifest));
    let manifest = match made {
        Ok(manifest) => manifest,
        Err(error) => {
            // The reason matters more than what is left, which the next one removes.
            let _ = files::remove_dir(&store.unfinished(id));
            return Err(error);
        }
    };
    let removed = remove_superfluous(store, source, options, &lock);
    Ok(Created {
        path: store.backup(id),
        manifest,
        removed,
    })
}

/// What an external database's backup needs beside it: the recordings, and the key that signs the trail, sealed under the master
/// key. Only what is new is copied. Returns how many recordings that was.
///
/// # Errors
/// When a file cannot be read or written.
pub fn keep_beside(
    store: &Store,
    live_recordings: &Path,
    keys: &Keys,
    watcher: &dyn Watcher,
) -> Result<usize> {
    let _lock = store.lock()?;
    let copied = recordings::mirror(live_recordings, &store.recordings(), watcher)?;
    let master = MasterKeys::load(&keys.master)?;
    let audit = fs::read(&keys.audit)
        .map(zeroize::Zeroizing::new)
        .map_err(Error::io("read", &keys.audit))?;
    let dir = store.path().join(KEYS);
    files::create_private(&dir)?;
    files::write_durably(
        &dir.join(SEALED_AUDIT_KEY),
        &master.seal_file(AUDIT_KEY, &audit),
    )?;
    Ok(copied.new)
}

/// A backup that was made is one, also when an older one cannot be removed.
fn remove_superfluous(store: &Store, source: &Source, options: Options, lock: &Lock) -> Vec<Uuid> {
    store
        .prune(options.keep, &source.recordings, lock)
        .unwrap_or_else(|error| {
            tracing::warn!(%error, "older backups could not be removed");
            Vec::new()
        })
}

fn fill(
    store: &Store,
    source: &Source,
    options: Options,
    id: Uuid,
    watcher: &dyn Watcher,
) -> Result<Manifest> {
    let dir = store.unfinished(id);
    files::create_private(&dir)?;
    let enough_space = |database: u64| {
        let audio = recordings::missing_bytes(&source.recordings, &store.recordings())?;
        must_fit(store.path(), database + audio, options.reserve_bytes)
    };
    let wanted = Wanted {
        spread: options.spread,
        rate: options.rate,
    };
    let database = dir.join(DATABASE);
    let base = base::receive(
        &source.socket_dir,
        wanted,
        &database,
        watcher,
        &enough_space,
    )?;
    let taken_at = Timestamp::now();
    // After the database: audio is stored before the row that names it, so every row there has its audio here.
    let mirrored = recordings::mirror(&source.recordings, &store.recordings(), watcher)?;
    let earlier = store.list()?.backups;
    let recordings = mirrored.entries(&store.recordings(), &earlier, watcher)?;

    let mut entries: Vec<FileEntry> = base
        .files
        .into_iter()
        .map(|entry| FileEntry {
            path: format!("{DATABASE}/{}", entry.path),
            ..entry
        })
        .collect();
    let master = back_up_keys(&source.keys, &dir.join(KEYS), watcher, &mut entries)?;
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    let manifest = Manifest {
        format: Manifest::FORMAT,
        id,
        taken_at,
        hysio: env!("CARGO_PKG_VERSION").to_owned(),
        cluster: base.cluster,
        master_key_id: Some(master.current_id().to_owned()),
        with_keys: source.keys.in_the_clear,
        directories: base.directories,
        files: entries,
        recordings,
    };
    manifest.write(&dir)?;
    Ok(manifest)
}

fn must_fit(dir: &Path, bytes: u64, reserve: u64) -> Result<()> {
    let free = files::free_bytes(dir)?;
    let needed = bytes.saturating_add(reserve);
    if free < needed {
        return Err(Error::DiskShort {
            dir: dir.to_owned(),
            needed,
            free,
        });
    }
    Ok(())
}

/// The key that signs the trail, sealed; or, if asked for, both keys as they are.
fn back_up_keys(
    keys: &Keys,
    dir: &Path,
    watcher: &dyn Watcher,
    entries: &mut Vec<FileEntry>,
) -> Result<MasterKeys> {
    let master = MasterKeys::load(&keys.master)?;
    files::create_private(dir)?;
    let read = |path: &Path| {
        fs::read(path)
            .map(zeroize::Zeroizing::new)
            .map_err(Error::io("read", path))
    };
    let audit = read(&keys.audit)?;
    let mut put = |name: &str, content: &[u8]| -> Result<()> {
        let (bytes, sha256) = files::copy(content, &dir.join(name), watcher, &mut |_| {})?;
        entries.push(FileEntry {
            path: format!("{KEYS}/{name}"),
            bytes,
            sha256,
        });
        Ok(())
    };
    if keys.in_the_clear {
        put(MASTER_KEY, &read(&keys.master)?)?;
        put(AUDIT_KEY, &audit)?;
    } else {
        put(SEALED_AUDIT_KEY, &master.seal_file(AUDIT_KEY, &audit))?;
    }
    Ok(master)
}
