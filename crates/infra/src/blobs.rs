//! Sealed audio at rest, on a local disk. What is stored must be encrypted already; keys hold ids only. A blob is
//! written once: `put` returns when the file and its directory are on stable storage, or leaves nothing behind.
//! Deletion is not synced: after a power cut a deleted blob may be back, and the orphan sweep deletes it again.

use std::{
    fmt, io,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream::BoxStream};
use hysio_model::id::{FacilityId, RecordingId};
use jiff::Timestamp;
use object_store::{
    MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload, local::LocalFileSystem,
};

/// Uploads that a killed process left behind are removed at the next start after this.
const ABANDONED_AFTER: Duration = Duration::from_secs(24 * 3600);

#[derive(Clone)]
pub struct Blobs {
    dir: Arc<Path>,
    store: Arc<LocalFileSystem>,
}

/// Names one recording's audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobKey {
    pub facility: FacilityId,
    pub recording: RecordingId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobInfo {
    pub key: BlobKey,
    pub bytes: u64,
    pub modified: Timestamp,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no space is left for blobs in {}: free some, or move the data directory to a larger disk", .dir.display())]
    Full { dir: PathBuf },
    #[error("no blob is stored as {0}")]
    NotFound(BlobKey),
    #[error("the audio of {key} ended before it was complete")]
    Source {
        key: BlobKey,
        #[source]
        source: io::Error,
    },
    #[error("blobs in {} cannot be used", .dir.display())]
    Store {
        dir: PathBuf,
        #[source]
        source: object_store::Error,
    },
    #[error("the blob directory {} cannot be used", .dir.display())]
    Directory {
        dir: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl Blobs {
    /// Makes the directory where it is missing, and removes what uploads abandoned there.
    ///
    /// # Errors
    /// When the directory cannot be made or read.
    pub async fn open(dir: impl Into<PathBuf>) -> Result<Self, Error> {
        let dir: PathBuf = dir.into();
        let opened = tokio::task::spawn_blocking(move || open_blocking(&dir));
        opened.await.expect("opening does not panic")
    }

    /// Stores sealed chunks under a key, in order, and returns how many bytes they were. Replaces what was there, in
    /// one step. One chunk is held in memory at a time. One writer a key: a second one at the same time may fail.
    ///
    /// # Errors
    /// [`Error::Full`] on a full disk, [`Error::Source`] when the chunks break off; nothing is left behind.
    pub async fn put(
        &self,
        key: BlobKey,
        chunks: impl Stream<Item = io::Result<Bytes>> + Send,
    ) -> Result<u64, Error> {
        let mut upload = self
            .store
            .put_multipart(&key.path())
            .await
            .map_err(|error| self.error(key, error))?;
        match self.write(key, upload.as_mut(), chunks).await {
            Ok(bytes) => Ok(bytes),
            Err(error) => {
                self.discard(key, upload).await;
                Err(error)
            }
        }
    }

    /// The whole blob, read piece by piece.
    ///
    /// # Errors
    /// [`Error::NotFound`], or when the disk fails.
    pub async fn get(
        &self,
        key: BlobKey,
    ) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        let found = self
            .store
            .get(&key.path())
            .await
            .map_err(|error| self.error(key, error))?;
        let this = self.clone();
        Ok(found
            .into_stream()
            .map_err(move |error| this.error(key, error))
            .boxed())
    }

    /// # Errors
    /// [`Error::NotFound`], or when the range starts past the end.
    pub async fn get_range(&self, key: BlobKey, range: Range<u64>) -> Result<Bytes, Error> {
        self.store
            .get_range(&key.path(), range)
            .await
            .map_err(|error| self.error(key, error))
    }

    /// Deleting what is not there is no error, so that it can be done again.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn delete(&self, key: BlobKey) -> Result<(), Error> {
        match self.store.delete(&key.path()).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.error(key, error)),
        }
    }

    /// Every complete blob, in no order. Files that are no blobs are passed over.
    pub fn list(&self) -> BoxStream<'static, Result<BlobInfo, Error>> {
        let dir = self.dir.to_path_buf();
        self.store
            .list(None)
            .filter_map(move |found| {
                let info = match found {
                    Ok(meta) => BlobKey::of(&meta.location).map(|key| {
                        Ok(BlobInfo {
                            key,
                            bytes: meta.size,
                            modified: Timestamp::from_millisecond(
                                meta.last_modified.timestamp_millis(),
                            )
                            .unwrap_or(Timestamp::UNIX_EPOCH),
                        })
                    }),
                    Err(source) => Some(Err(Error::Store {
                        dir: dir.clone(),
                        source,
                    })),
                };
                futures::future::ready(info)
            })
            .boxed()
    }

    /// Bytes that this process may still write to the disk.
    ///
    /// # Errors
    /// When the directory is gone.
    pub fn free_space(&self) -> Result<u64, Error> {
        let space = rustix::fs::statvfs(&*self.dir).map_err(|errno| Error::Directory {
            dir: self.dir.to_path_buf(),
            source: errno.into(),
        })?;
        Ok(space.f_bavail.saturating_mul(space.f_frsize))
    }

    async fn write(
        &self,
        key: BlobKey,
        upload: &mut dyn MultipartUpload,
        chunks: impl Stream<Item = io::Result<Bytes>> + Send,
    ) -> Result<u64, Error> {
        let mut chunks = std::pin::pin!(chunks);
        let mut bytes = 0;
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|source| Error::Source { key, source })?;
            bytes += chunk.len() as u64;
            upload
                .put_part(PutPayload::from_bytes(chunk))
                .await
                .map_err(|error| self.error(key, error))?;
        }
        upload
            .complete()
            .await
            .map_err(|error| self.error(key, error))?;
        Ok(bytes)
    }

    /// A failed completion leaves its staged file, which `abort` then no longer knows.
    async fn discard(&self, key: BlobKey, mut upload: Box<dyn MultipartUpload>) {
        let _ = upload.abort().await;
        let folder = self.dir.join(key.facility.to_string());
        let prefix = format!("{}#", key.recording);
        let swept = tokio::task::spawn_blocking(move || {
            remove_staged(&folder, &|name, _| name.starts_with(&prefix))
        });
        let _ = swept.await;
    }

    fn error(&self, key: BlobKey, error: object_store::Error) -> Error {
        if matches!(error, object_store::Error::NotFound { .. }) {
            return Error::NotFound(key);
        }
        let dir = self.dir.to_path_buf();
        if is_full(&error) {
            Error::Full { dir }
        } else {
            Error::Store { dir, source: error }
        }
    }
}

impl BlobKey {
    fn path(self) -> object_store::path::Path {
        object_store::path::Path::from_iter([self.facility.to_string(), self.recording.to_string()])
    }

    fn of(path: &object_store::path::Path) -> Option<Self> {
        let (facility, recording) = path.as_ref().split_once('/')?;
        Some(Self {
            facility: FacilityId(facility.parse().ok()?),
            recording: recording.parse().ok()?,
        })
    }
}

impl fmt::Display for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.facility, self.recording)
    }
}

fn open_blocking(dir: &Path) -> Result<Blobs, Error> {
    let unusable = |source| Error::Directory {
        dir: dir.to_path_buf(),
        source,
    };
    std::fs::create_dir_all(dir).map_err(unusable)?;
    let dir = dir.canonicalize().map_err(unusable)?;
    for entry in std::fs::read_dir(&dir).map_err(unusable)? {
        let path = entry.map_err(unusable)?.path();
        if path.is_dir() {
            remove_staged(&path, &|_, age| age > ABANDONED_AFTER).map_err(unusable)?;
        }
    }
    let store = LocalFileSystem::new_with_prefix(&dir).map_err(|source| Error::Store {
        dir: dir.clone(),
        source,
    })?;
    Ok(Blobs {
        dir: dir.into(),
        store: Arc::new(store.with_fsync(true)),
    })
}

/// Removes the staged files (`<recording>#<number>`) of a folder whose name and age are `unwanted`.
fn remove_staged(folder: &Path, unwanted: &dyn Fn(&str, Duration) -> bool) -> io::Result<()> {
    let now = SystemTime::now();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| name.contains('#')) else {
            continue;
        };
        let age = now
            .duration_since(entry.metadata()?.modified()?)
            .unwrap_or_default();
        if unwanted(name, age) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Whether somewhere below the error a disk or a quota is full.
fn is_full(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(
            kind,
            Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        ) {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests;
