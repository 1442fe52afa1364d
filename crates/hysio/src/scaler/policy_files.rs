//! The policies as files: read at the start, read again when they change. A set that is refused changes nothing: the last good
//! one goes on, and it is said so.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use hysio_infra::postgres::Database;
use hysio_scaling::policies::Policies;
use rust_embed::RustEmbed;
use sha2::{Digest as _, Sha256};

/// Names and contents.
pub type Files = BTreeMap<String, String>;

/// The policies of one machine.
#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../config/scaling"]
struct BuiltIn;

/// A file that is larger is no policy.
const BYTES_MAX: u64 = 1_000_000;

/// The policies that are in force, and the files they were read from.
pub struct Current {
    folder: Option<PathBuf>,
    pub files: Files,
    pub policies: Policies,
    /// The files that were refused last, so that they are complained about once.
    refused: Option<(Files, String)>,
}

/// What became of a look at the files.
#[derive(Debug, PartialEq, Eq)]
pub enum Reload {
    Unchanged,
    Taken,
    /// Refused files were put back as they were.
    GoodAgain,
    /// The last good ones go on. Told once for each bad set.
    Refused(String),
}

impl Current {
    /// # Errors
    /// When the policies cannot be read or are refused: without any good ones nothing is decided.
    pub fn load(folder: Option<&Path>) -> anyhow::Result<Self> {
        let files = read(folder)?;
        let policies = Policies::read(&files).map_err(|refused| {
            let place = folder.map_or_else(
                || "the built-in policies".into(),
                |it| it.display().to_string(),
            );
            anyhow::anyhow!("{place}: {refused}")
        })?;
        Ok(Self {
            folder: folder.map(Path::to_owned),
            files,
            policies,
            refused: None,
        })
    }

    /// The files of the folder if they are good; else the last good ones, which the scaler has kept in the database.
    ///
    /// # Errors
    /// When there are no good ones, or the database is away.
    pub async fn in_force(folder: Option<&Path>, db: &Database) -> anyhow::Result<Self> {
        let refused = match Self::load(folder) {
            Ok(current) => return Ok(current),
            Err(refused) => refused,
        };
        let Some(files) = db.policies_in_force().await? else {
            return Err(refused);
        };
        let policies = Policies::read(&files).map_err(|_| refused)?;
        let mut current = Self {
            folder: folder.map(Path::to_owned),
            files,
            policies,
            refused: None,
        };
        current.look();
        Ok(current)
    }

    pub fn look(&mut self) -> Reload {
        if self.folder.is_none() {
            return Reload::Unchanged;
        }
        let files = match read(self.folder.as_deref()) {
            Ok(files) => files,
            Err(error) => return self.refuse(Files::new(), format!("{error:#}")),
        };
        if files == self.files {
            let was_refused = self.refused.take().is_some();
            return if was_refused {
                Reload::GoodAgain
            } else {
                Reload::Unchanged
            };
        }
        match Policies::read(&files) {
            Ok(policies) => {
                (self.files, self.policies, self.refused) = (files, policies, None);
                Reload::Taken
            }
            Err(refused) => self.refuse(files, refused.to_string()),
        }
    }

    fn refuse(&mut self, files: Files, why: String) -> Reload {
        let refused = Some((files, why.clone()));
        if self.refused == refused {
            return Reload::Unchanged;
        }
        self.refused = refused;
        Reload::Refused(why)
    }

    /// Why the files as they are now are not in force, if they are not.
    #[must_use]
    pub fn refused(&self) -> Option<&str> {
        self.refused.as_ref().map(|(_, why)| why.as_str())
    }

    #[must_use]
    pub fn digest(&self) -> String {
        digest(&self.files)
    }
}

#[must_use]
pub fn digest(files: &Files) -> String {
    let mut hash = Sha256::new();
    for (name, text) in files {
        for part in [name, text] {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
    }
    hex::encode(hash.finalize())
}

/// The files of a folder, or the built-in ones.
///
/// # Errors
/// When the folder or a file of it cannot be read.
pub fn read(folder: Option<&Path>) -> anyhow::Result<Files> {
    let Some(folder) = folder else {
        return built_in();
    };
    let mut files = Files::new();
    let listed = fs::read_dir(folder)
        .with_context(|| format!("the folder of policies {} cannot be read", folder.display()))?;
    for entry in listed {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let ending = path.extension().unwrap_or_default().to_string_lossy();
        let is_policy = ["yaml", "yml", "json"].contains(&ending.to_lowercase().as_str());
        if !is_policy || name.starts_with('.') {
            continue;
        }
        // A policy that is there by name only would be missed in silence.
        let about = fs::metadata(&path)
            .with_context(|| format!("the policy {} cannot be read", path.display()))?;
        anyhow::ensure!(
            about.is_file(),
            "{} is named like a policy, but is no file: rename or remove it",
            path.display()
        );
        let bytes = about.len();
        anyhow::ensure!(
            bytes <= BYTES_MAX,
            "{} has {bytes} bytes, more than a policy can have ({BYTES_MAX})",
            path.display()
        );
        let text = fs::read_to_string(&path)
            .with_context(|| format!("the policy {} cannot be read as text", path.display()))?;
        files.insert(name.into_owned(), text);
    }
    Ok(files)
}

fn built_in() -> anyhow::Result<Files> {
    BuiltIn::iter()
        .map(|name| {
            let file = BuiltIn::get(&name).context("a file that is listed is there")?;
            let text = String::from_utf8(file.data.into_owned())?;
            Ok((name.into_owned(), text))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: &str = "resources:\n  queue_workers: {min: 1, max: 4}\n";

    #[test]
    fn the_built_in_policies_are_good() {
        let current = Current::load(None).unwrap();
        assert!(!current.policies.keda.is_empty());
    }

    #[test]
    fn a_bad_reload_keeps_the_last_good_policies_and_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let write = |text: &str| fs::write(folder.path().join("limits.yaml"), text).unwrap();
        write(LIMITS);
        let mut current = Current::load(Some(folder.path())).unwrap();
        assert_eq!(current.look(), Reload::Unchanged);

        let bad = "resources:\n  queue_workers: {min: 9, max: 4}\n";
        write(bad);
        let Reload::Refused(why) = current.look() else {
            panic!("refused")
        };
        assert!(why.contains("limits.yaml:2"), "{why}");
        assert_eq!(current.refused(), Some(why.as_str()));
        assert_eq!(current.look(), Reload::Unchanged);
        write(LIMITS);
        assert_eq!(current.look(), Reload::GoodAgain);
        assert_eq!(current.refused(), None);
        write(bad);
        assert!(matches!(current.look(), Reload::Refused(_)));
        let limit = &current.policies.limits.resources[&hysio_scaling::Resource::QueueWorkers];
        assert_eq!(limit.max, 4);

        write(&LIMITS.replace('4', "7"));
        assert_eq!(current.look(), Reload::Taken);
    }

    #[test]
    fn what_is_named_like_a_policy_and_cannot_be_read_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("limits.yaml"), LIMITS).unwrap();
        fs::write(folder.path().join(".limits.yaml.swp.yaml"), "an editor's").unwrap();
        assert!(read(Some(folder.path())).is_ok());
        std::os::unix::fs::symlink("/nowhere", folder.path().join("matrix.yaml")).unwrap();
        let error = format!("{:#}", read(Some(folder.path())).unwrap_err());
        assert!(error.contains("matrix.yaml"), "{error}");
        fs::remove_file(folder.path().join("matrix.yaml")).unwrap();
        fs::create_dir(folder.path().join("matrix.YAML")).unwrap();
        let error = format!("{:#}", read(Some(folder.path())).unwrap_err());
        assert!(error.contains("no file"), "{error}");
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = read(Some(Path::new("/nowhere/policies"))).unwrap_err();
        assert!(format!("{error:#}").contains("/nowhere/policies"));
    }
}
