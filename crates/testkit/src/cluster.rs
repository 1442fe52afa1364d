//! One discardable PostgreSQL for a whole test run, whatever the number of test processes.
//!
//! Every test process holds a shared lock while it lives. The first starts the server; a small watcher, which needs the lock
//! for itself, stops the server and removes its data once the last test process is gone, killed or not.

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File, OpenOptions, Permissions};
use std::hash::{Hash, Hasher};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use hysio_infra::embedded_postgres::{Durability, EmbeddedPostgres, Login, Settings, socket_dir};
use tokio::sync::OnceCell;
use tokio_postgres::{Client, Config, NoTls};

/// Waits until no test process is left, then a little longer: `cargo test` starts one after another.
const WATCHER: &str = r#"
while flock -x 9 && flock -u 9 && sleep 5; do
    if flock -n -x 9; then
        kill -INT "$1"
        for _ in $(seq 100); do kill -0 "$1" 2>/dev/null || break; sleep 0.1; done
        kill -KILL "$1" 2>/dev/null
        rm -rf "$2"
        exit
    fi
done
"#;

/// The run's server, as one process sees it.
#[derive(Debug)]
pub(crate) struct Cluster {
    data_dir: PathBuf,
    _in_use: File,
}

static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();

impl Cluster {
    pub async fn get() -> Result<&'static Self> {
        CLUSTER.get_or_try_init(Self::join).await
    }

    pub fn config(&self, login: Login) -> Config {
        login.config(&socket_dir(&self.data_dir))
    }

    /// The string for one database of this server.
    pub fn connection_string(&self, login: Login, database: &str) -> String {
        // The last of two equal keys wins.
        format!(
            "{} dbname='{database}'",
            login.connection_string(&socket_dir(&self.data_dir))
        )
    }

    async fn join() -> Result<Self> {
        let place = place()?;
        let in_use = open(&place.join("in-use"))?;
        // Blocking is right: the watcher holds it for the moment that a stop takes.
        in_use
            .lock_shared()
            .context("waiting for the earlier test server to stop")?;
        let data_dir = place.join("postgresql");
        let starting = open(&place.join("starting"))?;
        starting
            .lock()
            .context("waiting for another test process to start the server")?;
        let cluster = Self {
            data_dir,
            _in_use: in_use,
        };
        if connect(&cluster.config(Login::Superuser)).await.is_err() {
            cluster.start(&place).await?;
        }
        Ok(cluster)
    }

    async fn start(&self, place: &Path) -> Result<()> {
        let settings = Settings {
            durability: Durability::Discardable,
            ..Settings::new(crate::vendor_dir().join("postgresql"), &self.data_dir)
        };
        let server = EmbeddedPostgres::start(settings)
            .await
            .context("starting the tests' PostgreSQL")?;
        let process = server
            .process_id()
            .context("the tests' PostgreSQL ended at once")?;
        watch(place, process, &self.data_dir)?;
        // It outlives this process: the watcher ends it.
        std::mem::forget(server);
        Ok(())
    }
}

/// A directory for this checkout and this user, which the server's own user can walk through.
fn place() -> Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    crate::repository_dir().hash(&mut hasher);
    nix::unistd::geteuid().as_raw().hash(&mut hasher);
    let place = std::env::temp_dir().join(format!("hysio-test-{:016x}", hasher.finish()));
    fs::create_dir_all(&place).with_context(|| format!("creating {}", place.display()))?;
    fs::set_permissions(&place, Permissions::from_mode(0o755))
        .with_context(|| format!("{} belongs to somebody else", place.display()))?;
    Ok(place)
}

fn open(path: &Path) -> Result<File> {
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path);
    opened.with_context(|| format!("opening {}", path.display()))
}

fn watch(place: &Path, process: u32, data_dir: &Path) -> Result<()> {
    let lock = open(&place.join("in-use"))?;
    let mut command = Command::new("sh");
    // The lock arrives as standard input and becomes descriptor 9.
    command
        .arg("-c")
        .arg(format!("exec 9<&0 </dev/null\n{WATCHER}"));
    command
        .arg("hysio-test-watcher")
        .arg(process.to_string())
        .arg(data_dir);
    command
        .stdin(lock)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    command
        .spawn()
        .context("starting the watcher of the tests' PostgreSQL")?;
    Ok(())
}

pub(crate) async fn connect(config: &Config) -> Result<Client> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
