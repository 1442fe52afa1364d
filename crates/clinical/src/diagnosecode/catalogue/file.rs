//! The catalogue's file: magic, format, checksum, then the catalogue in postcard's encoding. Written beside its place
//! and renamed, so that a reader sees the old one or the new one, never half of one.

use std::{fs, io::Write, path::Path};

use sha2::{Digest, Sha256};

use super::{Catalogue, Error};

/// Raised with every change of [`Catalogue`] or of the analysis of its terms.
pub const FORMAT: u32 = 4;

const MAGIC: &[u8; 12] = b"hysio codes\n";
const DIGEST_BYTES: usize = 32;
const HEADER_BYTES: usize = MAGIC.len() + 4 + DIGEST_BYTES;

pub fn write(catalogue: &Catalogue, path: &Path) -> Result<(), Error> {
    let bytes = encode(catalogue);
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let replace = || {
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&bytes)?;
        file.as_file().sync_all()?;
        make_readable(file.as_file())?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    replace().map_err(|source| Error::Io {
        path: path.display().to_string(),
        source,
    })
}

pub fn read(path: &Path) -> Result<Catalogue, Error> {
    let shown = || path.display().to_string();
    let bytes = fs::read(path).map_err(|source| {
        if source.kind() == std::io::ErrorKind::NotFound {
            return Error::Missing { path: shown() };
        }
        Error::Io {
            path: shown(),
            source,
        }
    })?;
    let header = bytes
        .get(..HEADER_BYTES)
        .filter(|header| {
            header.starts_with(MAGIC) && header[MAGIC.len()..].starts_with(&FORMAT.to_le_bytes())
        })
        .ok_or_else(|| Error::Format { path: shown() })?;
    let body = &bytes[HEADER_BYTES..];
    if Sha256::digest(body).as_slice() != &header[HEADER_BYTES - DIGEST_BYTES..] {
        return Err(Error::Damaged { path: shown() });
    }
    postcard::from_bytes(body).map_err(|_| Error::Damaged { path: shown() })
}

/// Temporary files are private to their owner; a catalogue is public, and services run as other users.
#[cfg(unix)]
fn make_readable(file: &fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_file: &fs::File) -> std::io::Result<()> {
    Ok(())
}

fn encode(catalogue: &Catalogue) -> Vec<u8> {
    let body = postcard::to_stdvec(catalogue).expect("a catalogue in memory can be encoded");
    let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    bytes.extend_from_slice(&Sha256::digest(&body));
    bytes.extend_from_slice(&body);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosecode::catalogue::Terms;

    fn empty() -> Catalogue {
        Catalogue {
            release: "ICD-10-CM 2026".to_owned(),
            sources: Vec::new(),
            chapters: Vec::new(),
            blocks: Vec::new(),
            entries: Vec::new(),
            seventh_sets: Vec::new(),
            terms: Terms::default(),
            dutch_titles: Vec::new(),
        }
    }

    #[test]
    fn a_catalogue_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/hysio.catalogue");
        write(&empty(), &path).unwrap();
        assert_eq!(read(&path).unwrap().release, "ICD-10-CM 2026");
    }

    #[test]
    fn a_flipped_bit_a_foreign_file_and_a_missing_one_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hysio.catalogue");
        assert!(matches!(read(&path), Err(Error::Missing { .. })));
        write(&empty(), &path).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert!(matches!(read(&path), Err(Error::Damaged { .. })));
        fs::write(&path, b"something else").unwrap();
        assert!(matches!(read(&path), Err(Error::Format { .. })));
    }
}
