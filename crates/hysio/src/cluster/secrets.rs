//! The passwords of a cluster, made once.

use std::{fs, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
pub struct Secrets {
    pub owner: String,
    pub app: String,
    pub replicator: String,
    pub failover: String,
    pub pgbouncer_admin: String,
    pub redis: String,
    /// The passphrase of the backups. Empty in a cluster from before there were any.
    #[serde(default)]
    pub backups: String,
}

impl Secrets {
    /// # Errors
    /// When the file cannot be read or written.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        if path.exists() {
            let text = fs::read_to_string(path)?;
            let mut secrets: Self = serde_json::from_str(&text).with_context(|| {
                format!("{} does not hold the cluster's passwords", path.display())
            })?;
            if secrets.backups.is_empty() {
                secrets.backups = password()?;
                secrets.write(path)?;
            }
            return Ok(secrets);
        }
        let secrets = Self {
            owner: password()?,
            app: password()?,
            replicator: password()?,
            failover: password()?,
            pgbouncer_admin: password()?,
            redis: password()?,
            backups: password()?,
        };
        secrets.write(path)?;
        Ok(secrets)
    }

    fn write(&self, path: &Path) -> anyhow::Result<()> {
        Ok(private(path)?.write_all(serde_json::to_string_pretty(self)?.as_bytes())?)
    }
}

/// 160 random bits.
fn password() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 20];
    aws_lc_rs::rand::fill(&mut bytes).context("no random numbers can be had")?;
    Ok(hex::encode(bytes))
}

/// A file that nobody else can read.
pub(super) fn private(path: &Path) -> anyhow::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options
        .open(path)
        .with_context(|| format!("{} cannot be written", path.display()))
}
