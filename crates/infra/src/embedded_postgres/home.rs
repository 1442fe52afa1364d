//! The data directory: its layout, its owner, and the lock that keeps a second Hysio out.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use super::account::Account;
use super::error::Error;

/// `sun_path` of Linux holds 108 bytes, the last of which is a zero.
const SOCKET_PATH_LIMIT: usize = 107;
const SOCKET_NAME: &str = ".s.PGSQL.5432";
/// What the server says to those who come before it is ready, which is no reason to end.
const TURNED_AWAY: &str = "FATAL:  the database system is ";
/// How much of the log's end is read to say why the server ended.
const LOG_TAIL: u64 = 16 * 1024;

/// An open data directory. The lock lasts as long as this value and ends with the process, however that ends.
#[derive(Debug)]
pub(super) struct Home {
    path: PathBuf,
    _lock: File,
}

impl Home {
    pub fn open(data_dir: &Path, account: Option<&Account>) -> Result<Self, Error> {
        create_private(data_dir, account)?;
        let path =
            fs::canonicalize(data_dir).map_err(|source| Error::io("find", data_dir, source))?;
        if let Some(account) = account {
            account.must_reach(&path)?;
        }
        let lock = lock(&path)?;
        let home = Self { path, _lock: lock };
        home.must_fit_a_socket()?;
        create_private(&home.socket(), account)?;
        Ok(home)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn cluster(&self) -> PathBuf {
        self.path.join("cluster")
    }

    pub fn socket(&self) -> PathBuf {
        self.path.join("socket")
    }

    pub fn log(&self) -> PathBuf {
        self.path.join("postgres.log")
    }

    /// An empty log for a new start; the one before is kept beside it, so at most two are.
    pub fn start_log(&self) -> Result<File, Error> {
        let log = self.log();
        if log.exists() {
            let before = self.path.join("postgres.previous.log");
            fs::rename(&log, before).map_err(|source| Error::io("rename", &log, source))?;
        }
        let opened = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&log);
        opened.map_err(|source| Error::io("create", &log, source))
    }

    pub fn write_cluster_file(
        &self,
        name: &str,
        text: &str,
        account: Option<&Account>,
    ) -> Result<(), Error> {
        let path = self.cluster().join(name);
        fs::write(&path, text).map_err(|source| Error::io("write", &path, source))?;
        own(&path, 0o600, account)
    }

    /// Reads the reason for the server's end from its log.
    pub fn why_it_ended(&self) -> Error {
        let tail = tail(&self.log()).unwrap_or_default();
        if tail.contains("No space left on device") {
            return Error::DiskFull {
                path: self.path.clone(),
            };
        }
        let last = tail
            .lines()
            .rev()
            .filter(|line| !line.contains(TURNED_AWAY))
            .find(|line| line.contains("FATAL") || line.contains("PANIC"));
        let detail = last
            .or(tail.lines().last())
            .unwrap_or("it said nothing")
            .to_owned();
        Error::Ended {
            detail,
            log: self.log(),
        }
    }

    fn must_fit_a_socket(&self) -> Result<(), Error> {
        let length = self.socket().join(SOCKET_NAME).as_os_str().as_bytes().len();
        if length > SOCKET_PATH_LIMIT {
            return Err(Error::PathTooLong {
                data_dir: self.path.clone(),
                length,
                limit: SOCKET_PATH_LIMIT,
            });
        }
        Ok(())
    }
}

/// Creates a directory that only its owner can enter. Parents that are missing stay open to others, who must pass.
pub(super) fn create_private(path: &Path, account: Option<&Account>) -> Result<(), Error> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|source| Error::io("create", parent, source))?;
    }
    if !path.is_dir() {
        let made = DirBuilder::new().mode(0o700).create(path);
        made.map_err(|source| Error::io("create", path, source))?;
    }
    own(path, 0o700, account)
}

fn own(path: &Path, mode: u32, account: Option<&Account>) -> Result<(), Error> {
    fs::set_permissions(path, Permissions::from_mode(mode))
        .map_err(|source| Error::io("protect", path, source))?;
    if let Some(account) = account {
        let owned = chown(path, Some(account.user), Some(account.group));
        owned.map_err(|source| Error::io("hand over", path, source))?;
    }
    Ok(())
}

fn lock(data_dir: &Path) -> Result<File, Error> {
    let path = data_dir.join("lock");
    let io = |source| Error::io("lock", &path, source);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder).map_err(io)?;
            return Err(Error::InUse {
                data_dir: data_dir.to_owned(),
                holder: holder.trim().to_owned(),
            });
        }
        Err(TryLockError::Error(source)) => return Err(io(source)),
    }
    file.set_len(0).map_err(io)?;
    writeln!(file, "{}", std::process::id()).map_err(io)?;
    Ok(file)
}

fn tail(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
