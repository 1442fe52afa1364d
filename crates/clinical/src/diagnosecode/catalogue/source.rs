//! Finds the official files in what the user points at: a wheel, or a folder. I/O only.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use super::Error;

/// The folder may be the root of an unpacked package: this deep is looked.
const DEPTH_MAX: usize = 4;

pub(super) struct Official {
    pub tabular: Named,
    pub codes: Named,
}

/// A file's name, for provenance and messages, and its bytes.
pub(super) struct Named {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// Reads the tabular XML and the list of codes out of a wheel or a folder.
pub(super) fn read(path: &Path) -> Result<Official, Error> {
    let mut found = if path.is_dir() {
        from_folder(path)?
    } else {
        from_wheel(path)?
    };
    let mut take = |wanted: fn(&str) -> bool| {
        let at = found.iter().position(|file| wanted(&file.name))?;
        Some(found.swap_remove(at))
    };
    match (take(is_tabular), take(is_code_list)) {
        (Some(tabular), Some(codes)) => Ok(Official { tabular, codes }),
        (Some(_) | None, _) => Err(Error::NoSource {
            path: path.display().to_string(),
        }),
    }
}

pub(super) fn read_file(path: &Path) -> Result<Named, Error> {
    let bytes = fs::read(path).map_err(|source| io(path, source))?;
    Ok(Named {
        name: file_name(path),
        bytes,
    })
}

fn is_tabular(name: &str) -> bool {
    name.contains("tabular") && extension_is(name, "xml")
}

fn is_code_list(name: &str) -> bool {
    name.starts_with("code-list") && extension_is(name, "txt")
}

fn extension_is(name: &str, wanted: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case(wanted))
}

fn from_wheel(path: &Path) -> Result<Vec<Named>, Error> {
    let file = File::open(path).map_err(|source| io(path, source))?;
    let no_source = |_| Error::NoSource {
        path: path.display().to_string(),
    };
    let mut archive = zip::ZipArchive::new(file).map_err(no_source)?;
    let mut found = Vec::new();
    for at in 0..archive.len() {
        let mut member = archive.by_index(at).map_err(no_source)?;
        let Ok(name) = member.name().map(|name| file_name(Path::new(&*name))) else {
            continue;
        };
        if is_tabular(&name) || is_code_list(&name) {
            let mut bytes = Vec::new();
            member
                .read_to_end(&mut bytes)
                .map_err(|source| io(path, source))?;
            found.push(Named { name, bytes });
        }
    }
    Ok(found)
}

fn from_folder(path: &Path) -> Result<Vec<Named>, Error> {
    let mut files = Vec::new();
    list(path, DEPTH_MAX, &mut files)?;
    files.sort();
    files
        .iter()
        .filter(|path| {
            let name = file_name(path);
            is_tabular(&name) || is_code_list(&name)
        })
        .map(|path| read_file(path))
        .collect()
}

fn list(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(|source| io(folder, source))? {
        let path = entry.map_err(|source| io(folder, source))?.path();
        if path.is_file() {
            files.push(path);
        } else if depth > 0 && path.is_dir() {
            list(&path, depth - 1, files)?;
        }
    }
    Ok(())
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn io(path: &Path, source: std::io::Error) -> Error {
    Error::Io {
        path: path.display().to_string(),
        source,
    }
}
