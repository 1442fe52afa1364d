//! The unprivileged user that the server runs as when Hysio runs as root, which PostgreSQL refuses.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::{Uid, User};

use super::error::Error;

/// In order of preference: the user that the installer makes, and the one of Debian's own package.
const CANDIDATES: [&str; 2] = ["hysio", "postgres"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub name: String,
    pub user: u32,
    pub group: u32,
}

impl Account {
    /// None when this process may run the server as itself. Existing data is served by the user who owns it.
    pub fn for_cluster(data_dir: &Path) -> Result<Option<Self>, Error> {
        if !Uid::effective().is_root() {
            return Ok(None);
        }
        let owner = fs::metadata(data_dir).map_or(0, |data| data.uid());
        let found = match owner {
            0 => CANDIDATES
                .iter()
                .find_map(|name| User::from_name(name).ok().flatten()),
            user => User::from_uid(Uid::from_raw(user)).ok().flatten(),
        };
        let user = found.ok_or(Error::NoAccount)?;
        Ok(Some(Self {
            name: user.name,
            user: user.uid.as_raw(),
            group: user.gid.as_raw(),
        }))
    }

    /// Refuses a path that this account can't walk down to.
    pub fn must_reach(&self, path: &Path) -> Result<(), Error> {
        let closed = self
            .first_closed(path)
            .map_err(|source| Error::io("look at", path, source))?;
        closed.map_or(Ok(()), |closed| {
            Err(Error::Unreachable {
                user: self.name.clone(),
                closed,
                path: path.to_owned(),
            })
        })
    }

    /// The outermost directory on the way to `path` (itself included) that this account can't enter.
    fn first_closed(&self, path: &Path) -> io::Result<Option<PathBuf>> {
        let mut way: Vec<&Path> = path.ancestors().collect();
        way.reverse();
        for step in way {
            let data = fs::metadata(step)?;
            if !self.may_enter(data.uid(), data.gid(), data.mode()) {
                return Ok(Some(step.to_owned()));
            }
        }
        Ok(None)
    }

    /// The kernel's rule: the first class that fits decides, also when a later one would be kinder.
    fn may_enter(&self, owner: u32, group: u32, mode: u32) -> bool {
        let bit = if owner == self.user {
            0o100
        } else if group == self.group {
            0o010
        } else {
            0o001
        };
        mode & bit != 0
    }
}

/// A command under the account, with nothing of our own environment: it holds secrets.
pub(super) fn command(program: &Path, account: Option<&Account>) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .env("PATH", "/usr/bin:/bin");
    if let Some(account) = account {
        command.uid(account.user).gid(account.group);
    }
    command
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn account() -> Account {
        Account {
            name: "hysio".to_owned(),
            user: 999,
            group: 998,
        }
    }

    #[test]
    fn the_first_class_that_fits_decides_who_may_enter() {
        let account = account();
        assert!(account.may_enter(0, 0, 0o755));
        assert!(!account.may_enter(0, 0, 0o750));
        assert!(account.may_enter(0, 998, 0o750));
        assert!(account.may_enter(999, 0, 0o700));
        assert!(!account.may_enter(999, 998, 0o077));
    }

    #[test]
    fn a_closed_directory_is_named_from_the_outside_in() {
        let account = account();
        let outer = tempfile::tempdir().unwrap();
        fs::set_permissions(outer.path(), Permissions::from_mode(0o700)).unwrap();
        let inner = outer.path().join("data");
        fs::create_dir(&inner).unwrap();
        let error = account.must_reach(&inner).unwrap_err().to_string();
        assert!(
            error.contains(&format!("may not enter {}, ", outer.path().display())),
            "{error}"
        );
    }
}
