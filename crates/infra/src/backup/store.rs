//! The directory that backups are kept in: which there are, which to remove, and who may change it now.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use uuid::Uuid;

use super::{Error, Manifest, Result, files, recordings, wal};

/// What is made or removed has a name of this kind until it is complete or gone.
const UNFINISHED: [&str; 2] = ["partial", "removed"];

#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
}

/// What is in a store, newest first.
#[derive(Debug, Default)]
pub struct Listing {
    pub backups: Vec<Manifest>,
    /// Directories with a backup's name whose manifest cannot be believed.
    pub damaged: Vec<Damaged>,
}

#[derive(Debug)]
pub struct Damaged {
    pub id: Uuid,
    pub error: Error,
}

/// Held by who makes or removes a backup; ends with the process, however that ends.
pub(super) struct Lock {
    _file: File,
}

impl Store {
    /// The directory need not be there yet.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Where a backup lies.
    #[must_use]
    pub fn backup(&self, id: Uuid) -> PathBuf {
        self.dir.join(id.to_string())
    }

    /// Where the server archives its log, a folder a cluster.
    #[must_use]
    pub fn wal(&self) -> PathBuf {
        self.dir.join("wal")
    }

    pub(super) fn archive(&self, system: u64) -> PathBuf {
        self.wal().join(system.to_string())
    }

    pub(super) fn archives(&self) -> Result<Vec<PathBuf>> {
        files::read_dir(&self.wal())
    }

    #[must_use]
    pub fn recordings(&self) -> PathBuf {
        self.dir.join("recordings")
    }

    /// Complete backups alone: one that is being made is not among them.
    ///
    /// # Errors
    /// When the directory cannot be read. None are there when it is missing.
    pub fn list(&self) -> Result<Listing> {
        let mut listing = Listing::default();
        for path in files::read_dir(&self.dir)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let Ok(id) = Uuid::try_parse(&name) else {
                continue;
            };
            match Manifest::read(&path) {
                Ok(manifest) => listing.backups.push(manifest),
                Err(error) => listing.damaged.push(Damaged { id, error }),
            }
        }
        listing
            .backups
            .sort_by_key(|manifest| std::cmp::Reverse(manifest.taken_at));
        Ok(listing)
    }

    /// The one backup whose id begins with `wanted`; for `newest`, the newest that was taken by `until`.
    ///
    /// # Errors
    /// [`Error::None`], [`Error::Unknown`], [`Error::Ambiguous`]; [`Error::Manifest`] when that one is damaged.
    pub fn find(&self, wanted: &str, until: Option<Timestamp>) -> Result<Manifest> {
        let listing = self.list()?;
        if wanted == "newest" {
            let fits = |manifest: &&Manifest| until.is_none_or(|until| manifest.taken_at <= until);
            return listing
                .backups
                .iter()
                .find(fits)
                .cloned()
                .ok_or_else(|| Error::None {
                    dir: self.dir.clone(),
                });
        }
        let begins = |id: Uuid| id.to_string().starts_with(&wanted.to_lowercase());
        if let Some(damaged) = listing
            .damaged
            .into_iter()
            .find(|damaged| begins(damaged.id))
        {
            return Err(damaged.error);
        }
        let mut found = listing
            .backups
            .into_iter()
            .filter(|manifest| begins(manifest.id));
        let (dir, wanted) = (self.dir.clone(), wanted.to_owned());
        match (found.next(), found.next()) {
            (Some(manifest), None) => Ok(manifest),
            (Some(_), Some(_)) => Err(Error::Ambiguous { dir, wanted }),
            (None, _) => Err(Error::Unknown { dir, wanted }),
        }
    }

    /// Makes the directory, keeps others from changing it, and removes what killed ones left.
    pub(super) fn lock(&self) -> Result<Lock> {
        // The database's own user passes through on its way to the archive.
        DirBuilder::new()
            .recursive(true)
            .mode(0o711)
            .create(&self.dir)
            .map_err(Error::io("create", &self.dir))?;
        let path = self.dir.join("lock");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(Error::io("lock", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Busy {
                    dir: self.dir.clone(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(Error::io("lock", &path)(source)),
        }
        for path in files::read_dir(&self.dir)? {
            if path
                .extension()
                .is_some_and(|end| UNFINISHED.iter().any(|unfinished| end == *unfinished))
            {
                files::remove_dir(&path)?;
            }
        }
        Ok(Lock { _file: file })
    }

    /// Where a backup is made.
    pub(super) fn unfinished(&self, id: Uuid) -> PathBuf {
        self.dir.join(format!("{id}.{}", UNFINISHED[0]))
    }

    /// Gives a backup its name. From then on it is one.
    pub(super) fn complete(&self, id: Uuid, _lock: &Lock) -> Result<()> {
        let unfinished = self.unfinished(id);
        files::sync_tree(&unfinished)?;
        fs::rename(&unfinished, self.backup(id)).map_err(Error::io("rename", &unfinished))?;
        files::sync_dir(&self.dir)
    }

    /// Removes all but the `keep` newest, and what only those needed.
    pub(super) fn prune(&self, keep: usize, live: &Path, _lock: &Lock) -> Result<Vec<Uuid>> {
        let mut backups = self.list()?.backups;
        let superfluous = backups.split_off(keep.max(1).min(backups.len()));
        for manifest in &superfluous {
            let (path, doomed) = (
                self.backup(manifest.id),
                self.dir.join(format!("{}.{}", manifest.id, UNFINISHED[1])),
            );
            fs::rename(&path, &doomed).map_err(Error::io("rename", &path))?;
            files::remove_dir(&doomed)?;
        }
        for archive in self.archives()? {
            let system = archive.file_name().unwrap_or_default().to_string_lossy();
            if let Ok(system) = system.parse() {
                wal::prune(&archive, system, &backups)?;
            }
        }
        recordings::prune(&self.recordings(), live, &backups)?;
        Ok(superfluous.iter().map(|manifest| manifest.id).collect())
    }
}
