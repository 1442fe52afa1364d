//! A private PostgreSQL for one machine: started, watched and stopped by Hysio, reached over a unix socket alone.
//!
//! Everything lives in one data directory: `cluster/` (what PostgreSQL calls PGDATA), `socket/`, `postgres.log` and `lock`.
//! The directory belongs to one unprivileged user and is closed to all others, which is what makes `trust` on the socket
//! safe. The server has no TCP port.
//!
//! Deliberately absent: migrations (they belong to the schema), replicas, and upgrades between major versions.

mod account;
mod cluster;
mod configuration;
mod database;
mod error;
mod home;
mod orphan;
mod recovery;

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use self::account::Account;
use self::cluster::Installation;
use self::configuration::Memory;
use self::home::Home;

pub use self::database::{APPLICATION_ROLE, DATABASE, Login, OWNER_ROLE};
pub use self::error::Error;
pub use self::recovery::{Recovered, Target, recover};

/// How long an immediate shutdown may take before the server is killed.
const IMMEDIATE_STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// How often readiness is looked at.
const READY_POLL: Duration = Duration::from_millis(20);

/// What the server promises after a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// An acknowledged commit survives a power cut.
    Durable,
    /// Nothing is flushed: for tests, whose data is thrown away.
    Discardable,
}

/// Where the server is installed, where its data lives, and how it behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder with `bin/postgres` and `bin/initdb`.
    pub install_dir: PathBuf,
    /// Created when missing. Its path must leave room for the socket's name (107 bytes in all).
    pub data_dir: PathBuf,
    pub durability: Durability,
    pub max_connections: u16,
    /// From launch to the first accepted connection, crash recovery included.
    pub start_timeout: Duration,
    /// From the request to stop until sessions are cut off.
    pub stop_timeout: Duration,
    /// Where finished segments of the write-ahead log are kept; None keeps none.
    pub archive: Option<Archive>,
}

/// The archive of the write-ahead log, which is what a backup is brought forward with.
#[derive(Debug, Clone)]
pub struct Archive {
    /// Each cluster has a folder of its own in it, named by its system identifier.
    pub directory: PathBuf,
    /// A segment with something in it is archived after this long, full or not.
    pub timeout: Duration,
}

impl Archive {
    fn of_cluster(&self, system: u64) -> PathBuf {
        self.directory.join(system.to_string())
    }
}

impl Settings {
    /// The settings of a server that keeps its data: 200 connections, 60 s to start, 20 s to stop.
    pub fn new(install_dir: impl Into<PathBuf>, data_dir: impl Into<PathBuf>) -> Self {
        Self {
            install_dir: install_dir.into(),
            data_dir: data_dir.into(),
            durability: Durability::Durable,
            max_connections: 200,
            start_timeout: Duration::from_secs(60),
            stop_timeout: Duration::from_secs(20),
            archive: None,
        }
    }
}

/// A running server. Call [`EmbeddedPostgres::stop`]; a value that is merely dropped takes the server down at once, and the
/// next start recovers from the log.
#[derive(Debug)]
pub struct EmbeddedPostgres {
    settings: Settings,
    installation: Installation,
    home: Home,
    account: Option<Account>,
    server: Child,
}

impl EmbeddedPostgres {
    /// Creates the cluster if there is none, stops a server that a killed process left behind, starts, waits until it
    /// answers, and makes sure of the database and its roles.
    ///
    /// # Errors
    /// Each way in which a machine can be unfit has its own [`Error`], which says what to do about it.
    pub async fn start(settings: Settings) -> Result<Self, Error> {
        let account = Account::for_cluster(&settings.data_dir)?;
        let installation = Installation::open(&settings.install_dir, account.as_ref()).await?;
        let home = Home::open(&settings.data_dir, account.as_ref())?;
        cluster::ensure(&installation, &home, account.as_ref(), settings.durability).await?;
        let server = launch(&settings, &installation, &home, account.as_ref()).await?;
        let running = Self {
            settings,
            installation,
            home,
            account,
            server,
        };
        database::ensure(&running.config(Login::Superuser)).await?;
        Ok(running)
    }

    /// How to connect to Hysio's database. For the superuser: to the maintenance database.
    #[must_use]
    pub fn config(&self, login: Login) -> tokio_postgres::Config {
        login.config(&self.home.socket())
    }

    /// The same as a `key='value'` string, which needs no password: `host='/…/socket' user='hysio_app' dbname='hysio'`.
    #[must_use]
    pub fn connection_string(&self, login: Login) -> String {
        login.connection_string(&self.home.socket())
    }

    /// What the server wrote: starts, stops, crashes. Never a statement or a parameter.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.home.log()
    }

    /// The process of the server, while it runs.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.server.id()
    }

    /// Waits until the server ends by itself. Dropping the future and calling again is fine.
    ///
    /// # Errors
    /// When the operating system can't tell.
    pub async fn ended(&mut self) -> Result<ExitStatus, Error> {
        let waited = self.server.wait().await;
        waited.map_err(|source| Error::io("wait for the server of", self.home.path(), source))
    }

    /// Stops the server: sessions are ended and everything is written out; past the time-out they are cut off.
    ///
    /// # Errors
    /// When the server is still there after all that.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.stop_server().await
    }

    /// Kills the server without a word, as a power cut would. For tests of what happens then.
    ///
    /// # Errors
    /// When the operating system can't tell that the server ended.
    pub async fn crash(&mut self) -> Result<(), Error> {
        send(&self.server, Signal::SIGKILL);
        self.ended().await.map(|_| ())
    }

    /// Starts the server again, whether it runs, was crashed or died.
    ///
    /// # Errors
    /// As for [`EmbeddedPostgres::start`].
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.stop_server().await?;
        self.server = launch(
            &self.settings,
            &self.installation,
            &self.home,
            self.account.as_ref(),
        )
        .await?;
        Ok(())
    }

    async fn stop_server(&mut self) -> Result<(), Error> {
        let escalation = [
            (Signal::SIGINT, self.settings.stop_timeout),
            (Signal::SIGQUIT, IMMEDIATE_STOP_TIMEOUT),
            (Signal::SIGKILL, IMMEDIATE_STOP_TIMEOUT),
        ];
        for (signal, patience) in escalation {
            send(&self.server, signal);
            if timeout(patience, self.ended()).await.is_ok() {
                return Ok(());
            }
            tracing::warn!(%signal, seconds = patience.as_secs(), "the database did not stop in time");
        }
        Err(Error::NotStopped {
            data_dir: self.home.path().to_owned(),
        })
    }
}

impl Drop for EmbeddedPostgres {
    fn drop(&mut self) {
        send(&self.server, Signal::SIGQUIT);
    }
}

/// Starts the server and waits until it accepts connections.
async fn launch(
    settings: &Settings,
    installation: &Installation,
    home: &Home,
    account: Option<&Account>,
) -> Result<Child, Error> {
    orphan::clear(&home.cluster()).await?;
    let archive = prepare_archive(settings, home, account)?;
    let text = configuration::server(
        settings,
        Memory::of_this_machine(),
        &home.socket(),
        archive.as_deref(),
    );
    home.write_cluster_file(configuration::FILE, &text, account)?;
    home.write_cluster_file("pg_hba.conf", configuration::ACCESS, account)?;
    let log = home.start_log()?;
    let also = log
        .try_clone()
        .map_err(|source| Error::io("open", &home.log(), source))?;

    let mut command = account::command(&installation.postgres(), account);
    command
        .arg("-D")
        .arg(home.cluster())
        .current_dir(home.path());
    command.stdin(Stdio::null()).stdout(log).stderr(also);
    // A group of its own: Ctrl-C in the terminal must not stop the database before those who use it.
    command.process_group(0);
    let mut server = Command::from(command)
        .spawn()
        .map_err(|source| Error::io("run", &installation.postgres(), source))?;

    let ready = wait_until_ready(&mut server, settings, home).await;
    if ready.is_err() {
        send(&server, Signal::SIGQUIT);
    }
    ready.map(|()| server)
}

/// The server refuses to archive into a folder that is not there.
fn prepare_archive(
    settings: &Settings,
    home: &Home,
    account: Option<&Account>,
) -> Result<Option<PathBuf>, Error> {
    let Some(archive) = &settings.archive else {
        return Ok(None);
    };
    let directory = archive.of_cluster(cluster::system_identifier(&home.cluster())?);
    home::create_private(&archive.directory, account)?;
    home::create_private(&directory, account)?;
    if let Some(account) = account {
        account.must_reach(&directory)?;
    }
    Ok(Some(directory))
}

async fn wait_until_ready(
    server: &mut Child,
    settings: &Settings,
    home: &Home,
) -> Result<(), Error> {
    let config = Login::Superuser.config(&home.socket());
    let deadline = Instant::now() + settings.start_timeout;
    while Instant::now() < deadline {
        if let Ok(Some(_)) = server.try_wait() {
            return Err(home.why_it_ended());
        }
        if database::answers(&config).await {
            return Ok(());
        }
        sleep(READY_POLL).await;
    }
    Err(Error::NotReady {
        seconds: settings.start_timeout.as_secs(),
        log: home.log(),
    })
}

/// Signals a child that has not been waited for yet, so the number can't belong to another process.
fn send(server: &Child, signal: Signal) {
    if let Some(id) = server.id() {
        let process = Pid::from_raw(id.cast_signed());
        // It may have ended since: then there is nobody to tell.
        let _ = nix::sys::signal::kill(process, signal);
    }
}

/// The number that `initdb` gave the cluster of a data directory; what is restored from a backup keeps it.
///
/// # Errors
/// When there is no cluster.
pub fn system_identifier(data_dir: &Path) -> Result<u64, Error> {
    cluster::system_identifier(&cluster_dir(data_dir))
}

/// Where the files of the cluster of a data directory are (PGDATA).
#[must_use]
pub fn cluster_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("cluster")
}

/// Where the socket of a data directory is: for another process that uses a server started here.
#[must_use]
pub fn socket_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("socket")
}
