//! The installed binaries, and the cluster that they serve.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tokio::process::Command;

use super::Durability;
use super::account::{self, Account};
use super::configuration;
use super::error::Error;
use super::home::Home;

#[derive(Debug)]
pub(super) struct Installation {
    bin: PathBuf,
    /// The major version, which is what `PG_VERSION` holds: `18`.
    major: String,
}

impl Installation {
    pub async fn open(install_dir: &Path, account: Option<&Account>) -> Result<Self, Error> {
        let Ok(bin) = fs::canonicalize(install_dir.join("bin")) else {
            return Err(Error::NotInstalled {
                path: install_dir.to_owned(),
            });
        };
        if let Some(account) = account {
            account.must_reach(&bin)?;
        }
        let postgres = bin.join("postgres");
        let output = run(
            account::command(&postgres, account),
            &postgres,
            &["--version"],
        )
        .await?;
        let Some(major) = major_version(&String::from_utf8_lossy(&output.stdout)) else {
            let detail = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(Error::Broken {
                path: install_dir.to_owned(),
                detail,
            });
        };
        Ok(Self { bin, major })
    }

    pub fn postgres(&self) -> PathBuf {
        self.bin.join("postgres")
    }
}

/// The first eight bytes of `pg_control`, in the machine's own order.
pub(super) fn system_identifier(cluster: &Path) -> Result<u64, Error> {
    let path = cluster.join("global/pg_control");
    let mut bytes = [0; 8];
    File::open(&path)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|source| Error::io("read", &path, source))?;
    Ok(u64::from_ne_bytes(bytes))
}

/// Creates the cluster if there is none; refuses one of another version.
pub(super) async fn ensure(
    installation: &Installation,
    home: &Home,
    account: Option<&Account>,
    durability: Durability,
) -> Result<(), Error> {
    let cluster = home.cluster();
    match fs::read_to_string(cluster.join("PG_VERSION")) {
        Ok(version) if version.trim() == installation.major => Ok(()),
        Ok(version) => Err(Error::VersionMismatch {
            cluster,
            found: version.trim().to_owned(),
            installed: installation.major.clone(),
        }),
        Err(_) if cluster.exists() => Err(Error::NotACluster { cluster }),
        Err(_) => create(installation, home, account, durability).await,
    }
}

/// Builds the cluster beside its place and renames it when complete, so a half-made one is never taken for data.
async fn create(
    installation: &Installation,
    home: &Home,
    account: Option<&Account>,
    durability: Durability,
) -> Result<(), Error> {
    let unfinished = home.path().join("cluster.unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)
            .map_err(|source| Error::io("remove", &unfinished, source))?;
    }
    let initdb = installation.bin.join("initdb");
    let mut command = account::command(&initdb, account);
    command
        .current_dir(home.path())
        .arg("--pgdata")
        .arg(&unfinished);
    if durability == Durability::Discardable {
        command.arg("--no-sync");
    }
    // The built-in locale sorts the same on every machine, whatever its C library.
    let locale = [
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
    ];
    let rest = [
        "--username=postgres",
        "--auth=trust",
        "--data-checksums",
        "--no-instructions",
    ];
    let output = run(command, &initdb, &[locale, rest].concat()).await?;
    if !output.status.success() {
        return Err(why_initdb_failed(
            home.path(),
            &String::from_utf8_lossy(&output.stderr),
        ));
    }
    include_our_configuration(&unfinished)?;
    fs::rename(&unfinished, home.cluster())
        .map_err(|source| Error::io("rename", &unfinished, source))
}

fn include_our_configuration(cluster: &Path) -> Result<(), Error> {
    let path = cluster.join("postgresql.conf");
    let io = |source| Error::io("write", &path, source);
    let mut file = OpenOptions::new().append(true).open(&path).map_err(io)?;
    writeln!(file, "include '{}'", configuration::FILE).map_err(io)
}

async fn run(
    mut command: std::process::Command,
    program: &Path,
    arguments: &[&str],
) -> Result<Output, Error> {
    command.args(arguments).stdin(Stdio::null());
    let output = Command::from(command).output().await;
    output.map_err(|source| Error::io("run", program, source))
}

fn why_initdb_failed(data_dir: &Path, stderr: &str) -> Error {
    let data_dir = data_dir.to_owned();
    if stderr.contains("No space left on device") {
        return Error::DiskFull { path: data_dir };
    }
    let line = stderr
        .lines()
        .find(|line| line.contains("error:") || line.contains("FATAL"));
    let detail = line
        .or(stderr.lines().last())
        .unwrap_or("it said nothing")
        .to_owned();
    Error::Initdb { data_dir, detail }
}

/// `postgres (PostgreSQL) 18.4` → `18`.
fn major_version(text: &str) -> Option<String> {
    let version = text.split_whitespace().last()?;
    let major: String = version.chars().take_while(char::is_ascii_digit).collect();
    (!major.is_empty()).then_some(major)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_any_release_and_beta() {
        assert_eq!(
            major_version("postgres (PostgreSQL) 18.4\n").as_deref(),
            Some("18")
        );
        assert_eq!(
            major_version("postgres (PostgreSQL) 19beta1").as_deref(),
            Some("19")
        );
        assert_eq!(major_version(""), None);
    }

    #[test]
    fn a_full_disk_is_told_from_other_failures_of_initdb() {
        let full = "initdb: error: could not write file \"x\": No space left on device";
        assert!(matches!(
            why_initdb_failed(Path::new("/d"), full),
            Error::DiskFull { .. }
        ));
        let other = "some notice\ninitdb: error: invalid locale settings\nhint";
        let message = why_initdb_failed(Path::new("/d"), other).to_string();
        assert!(
            message.ends_with("initdb: error: invalid locale settings"),
            "{message}"
        );
    }
}
