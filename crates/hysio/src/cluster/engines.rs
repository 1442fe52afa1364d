//! The servers' programs on this machine: on the PATH, or where Debian puts them.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use super::plan::Plan;

pub struct Engines {
    /// The folder of PostgreSQL's programs.
    pub postgres: PathBuf,
    pub nginx: PathBuf,
    pub pgbouncer: PathBuf,
    pub redis_server: Option<PathBuf>,
    pub redis_cli: Option<PathBuf>,
    pub prometheus: Option<PathBuf>,
}

impl Engines {
    /// # Errors
    /// Names what is missing and the packages that have it.
    pub fn find(plan: &Plan) -> anyhow::Result<Self> {
        let mut missing = Vec::new();
        let mut need = |program: &'static str, package: &'static str, wanted: bool| {
            let found = wanted.then(|| find(program)).flatten();
            if wanted && found.is_none() {
                missing.push((program, package));
            }
            found
        };
        let postgres = need("pg_basebackup", "postgresql", true);
        let nginx = need("nginx", "nginx-light", true);
        let pgbouncer = need("pgbouncer", "pgbouncer", true);
        let redis_server = need("redis-server", "redis-server", plan.redis);
        let redis_cli = need("redis-cli", "redis-tools", plan.redis);
        let prometheus = need("prometheus", "prometheus", plan.prometheus);
        need("pgbackrest", "pgbackrest", plan.backups);
        match (postgres, nginx, pgbouncer) {
            (Some(postgres), Some(nginx), Some(pgbouncer)) if missing.is_empty() => Ok(Self {
                postgres: postgres.parent().unwrap_or(Path::new("/")).to_owned(),
                nginx,
                pgbouncer,
                redis_server,
                redis_cli,
                prometheus,
            }),
            _ => {
                let (programs, packages): (Vec<_>, Vec<_>) = missing.into_iter().unzip();
                anyhow::bail!(
                    "the cluster needs {}: install them with  apt-get install -y --no-install-recommends {}",
                    programs.join(", "),
                    packages.join(" ")
                )
            }
        }
    }
}

/// PostgreSQL's own folder comes first: links to some of its programs elsewhere lead away from the others.
fn find(program: &str) -> Option<PathBuf> {
    let mut places = postgresql_folders();
    places.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    places.extend(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from));
    places
        .into_iter()
        .map(|place| place.join(program))
        .find(|path| path.is_file())
}

/// The newest version first.
fn postgresql_folders() -> Vec<PathBuf> {
    let mut versions: Vec<u32> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    versions
        .into_iter()
        .map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")))
        .collect()
}
