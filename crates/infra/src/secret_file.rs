//! Files that hold a key: read only if nobody else can read them, written so that nobody else can.
//!
//! Deliberately absent: changing or removing such a file. Losing one loses what it protects, so a person does that.

use std::{
    fs,
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use thiserror::Error;
use zeroize::Zeroizing;

/// A key file holds a few lines; anything longer is some other file.
const MAX_BYTES: u64 = 64 * 1024;

/// Group write, and anything for others. Group read is allowed: a Kubernetes secret with an `fsGroup` is mounted so.
const FORBIDDEN_MODE: u32 = 0o027;

#[derive(Debug, Error)]
pub enum SecretFileError {
    #[error("there is no {what} file at {}: restore it from its backup, or set the path to where it is", path.display())]
    Missing { what: &'static str, path: PathBuf },
    #[error("the {what} file {} cannot be read: {source}", path.display())]
    Unreadable {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("the {what} file {path} is open to other users (mode {mode:03o}): run `chmod 600 {path}`", path = path.display())]
    Exposed {
        what: &'static str,
        path: PathBuf,
        mode: u32,
    },
    #[error("the {what} file {} is longer than {MAX_BYTES} bytes: it is not a key file", path.display())]
    TooLong { what: &'static str, path: PathBuf },
    #[error("a {what} file is already at {}: it is never overwritten; move it away first if it is no longer needed", path.display())]
    Exists { what: &'static str, path: PathBuf },
    #[error("the {what} file {} cannot be written: {source}", path.display())]
    Unwritable {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

/// Reads a secret text. `what` names it in errors, such as `master key`.
pub(crate) fn read(what: &'static str, path: &Path) -> Result<Zeroizing<String>, SecretFileError> {
    let unreadable = |source| SecretFileError::Unreadable {
        what,
        path: path.to_owned(),
        source,
    };
    let file = fs::File::open(path).map_err(|source| {
        if source.kind() == io::ErrorKind::NotFound {
            SecretFileError::Missing {
                what,
                path: path.to_owned(),
            }
        } else {
            unreadable(source)
        }
    })?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(unreadable(io::Error::other("it is not a regular file")));
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & FORBIDDEN_MODE != 0 {
        return Err(SecretFileError::Exposed {
            what,
            path: path.to_owned(),
            mode,
        });
    }
    if metadata.len() > MAX_BYTES {
        return Err(SecretFileError::TooLong {
            what,
            path: path.to_owned(),
        });
    }
    let length = usize::try_from(metadata.len()).expect("bounded by MAX_BYTES");
    let mut text = Zeroizing::new(String::with_capacity(length + 1));
    file.take(MAX_BYTES)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    Ok(text)
}

/// Writes a new secret file with mode 0600: whole or not at all, and never over an existing one.
pub(crate) fn create(what: &'static str, path: &Path, text: &str) -> Result<(), SecretFileError> {
    let unwritable = |source| SecretFileError::Unwritable {
        what,
        path: path.to_owned(),
        source,
    };
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut draft = tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o600))
        .tempfile_in(folder)
        .map_err(unwritable)?;
    draft.write_all(text.as_bytes()).map_err(unwritable)?;
    draft.as_file().sync_all().map_err(unwritable)?;
    draft.persist_noclobber(path).map_err(|refused| {
        if refused.error.kind() == io::ErrorKind::AlreadyExists {
            SecretFileError::Exists {
                what,
                path: path.to_owned(),
            }
        } else {
            unwritable(refused.error)
        }
    })?;
    fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(unwritable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_is_for_its_owner_alone_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        create("test key", &path, "first").unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        assert!(matches!(
            create("test key", &path, "second"),
            Err(SecretFileError::Exists { .. })
        ));
        assert_eq!(read("test key", &path).unwrap().as_str(), "first");
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            1,
            "a draft was left"
        );
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        create("test key", &path, "secret").unwrap();
        for (mode, refused) in [
            (0o644, true),
            (0o604, true),
            (0o660, true),
            (0o440, false),
            (0o400, false),
        ] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let read = read("test key", &path);
            assert_eq!(read.is_err(), refused, "mode {mode:o}");
            if let Err(error) = read {
                let message = error.to_string();
                assert!(message.contains("chmod 600"), "{message}");
                assert!(message.contains(&path.display().to_string()), "{message}");
            }
        }
    }

    #[test]
    fn what_is_not_there_or_not_a_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("nothing");
        let message = read("test key", &missing).unwrap_err().to_string();
        assert!(
            message.contains("nothing") && message.contains("test key"),
            "{message}"
        );
        assert!(matches!(
            read("test key", folder.path()),
            Err(SecretFileError::Unreadable { .. })
        ));
    }
}
