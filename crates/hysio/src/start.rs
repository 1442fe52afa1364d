//! What every role does first: read the configuration, connect, follow signals; and how it serves and ends.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::Router;
use clap::Args;
use figment::{Figment, providers::Env};
use futures::future::LocalBoxFuture;
use hysio_infra::{
    audit::SigningKeys,
    cipher::MasterKeys,
    embedded_postgres::{Login, socket_dir},
    postgres::{self, Database, Settings, Vault, migrate},
    redis::{Cluster, Node, cache::MedicalCache},
};

use tokio::net::{TcpListener, TcpSocket};

use crate::{
    config::{Config, Secret},
    lifecycle::Lifecycle,
    metrics::Metrics,
    presence, telemetry,
};

/// How long a role waits at its start for a database that is not there yet.
const WAIT_FOR_DATABASE: Duration = Duration::from_secs(30);
/// Connections that wait to be accepted; the system's own bound is lower on most machines.
const BACKLOG: u32 = 4_096;
/// How long an address may stay in use when Hysio starts.
const WAIT_FOR_ADDRESS: Duration = Duration::from_secs(5);
/// How long requests may take to finish when the process is asked to end.
const DRAIN: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, Args)]
pub struct ConfigArgument {
    /// Configuration file; every key is in config/hysio.yaml.
    #[arg(long, env = "HYSIO_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl ConfigArgument {
    pub fn load(&self) -> anyhow::Result<Config> {
        let config = Config::load(self.config.as_deref())?;
        if let Some(path) = &config.paths.trusted_certificates {
            hysio_infra::trust::also(path)?;
        }
        Ok(config)
    }
}

/// A role that has begun.
pub struct Role {
    pub config: Arc<Config>,
    pub lifecycle: Lifecycle,
    pub metrics: Metrics,
}

/// Runs one role until it ends.
pub fn run<F: Future<Output = anyhow::Result<()>>>(
    argument: &ConfigArgument,
    role: impl FnOnce(Role) -> F,
) -> anyhow::Result<()> {
    let config = argument.load()?;
    telemetry::install();
    follow_supervisor()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    // One type of future for all roles: the runtime is compiled anew for each.
    let work: LocalBoxFuture<'_, _> = Box::pin(async {
        let lifecycle = Lifecycle::following_signals()?;
        role(Role {
            config: Arc::new(config),
            lifecycle,
            metrics: Metrics::new(),
        })
        .await
    });
    let result = runtime.block_on(work);
    // Blocking work that is still going on is of no use any more.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

/// The process id of the supervisor, for the services that `hysio up` starts.
pub const SUPERVISOR: &str = "HYSIO_SUPERVISOR";

/// Whether `hysio up` started this process.
#[must_use]
pub fn is_supervised() -> bool {
    supervisor().is_some()
}

fn supervisor() -> Option<i32> {
    Figment::from(Env::raw().only(&[SUPERVISOR]))
        .extract_inner(&SUPERVISOR.to_lowercase())
        .ok()
}

/// A supervised service ends with its supervisor, even one that was killed: nothing is left that holds its ports.
fn follow_supervisor() -> anyhow::Result<()> {
    let Some(supervisor) = supervisor() else {
        return Ok(());
    };
    nix::sys::prctl::set_pdeathsig(Some(nix::sys::signal::Signal::SIGTERM))?;
    // It may have ended before the line above.
    anyhow::ensure!(
        nix::unistd::getppid().as_raw() == supervisor,
        "the supervisor has ended"
    );
    Ok(())
}

/// Refuses an address that somebody else listens on. Services whose supervisor was killed give theirs up once they have
/// noticed, so this waits a moment before it says no.
pub async fn must_become_free(address: SocketAddr) -> anyhow::Result<()> {
    let deadline = tokio::time::Instant::now() + WAIT_FOR_ADDRESS;
    loop {
        match std::net::TcpListener::bind(address) {
            Ok(_) => return Ok(()),
            Err(error)
                if error.kind() == std::io::ErrorKind::AddrInUse
                    && tokio::time::Instant::now() < deadline =>
            {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => return Err(error).with_context(|| busy(address)),
        }
    }
}

/// Members of a pool share their address, and the system spreads connections over them. Others have it for themselves.
fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(presence::pool().is_some())?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn busy(address: SocketAddr) -> String {
    format!(
        "{address} cannot be listened on: is something else running there? Choose another under `http` in the configuration"
    )
}

/// Connects with the services' role, and proves that schema and master key are the right ones.
pub async fn connect(config: &Config) -> anyhow::Result<Database> {
    let settings = Settings {
        config: database_config(config)?,
        pool_size: config.database.pool_size,
        pooled: config.database.pooled,
        replica: match &config.database.replica_url {
            Some(url) => Some(parse(url.expose(), "database.replica_url")?),
            None => None,
        },
    };
    let deadline = tokio::time::Instant::now() + WAIT_FOR_DATABASE;
    loop {
        match connect_once(config, &settings).await {
            Err(error) if is_passing(&error) && tokio::time::Instant::now() < deadline => {
                tracing::warn!("the database is not there yet; trying again");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            result => return result,
        }
    }
}

async fn connect_once(config: &Config, settings: &Settings) -> anyhow::Result<Database> {
    let master = MasterKeys::load(&config.paths.master_key())?;
    let client = migrate::connect(&direct_config(config)?).await?;
    migrate::check_version(&client).await?;
    let vault = Vault::open(master, &client).await?;
    let db = Database::new(settings, vault)?;
    // A pooler in between may not have got through yet.
    db.ping().await?;
    Ok(db)
}

fn is_passing(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref::<postgres::Error>(),
        Some(postgres::Error::Unavailable(_))
    )
}

/// The configured database, or the one that `hysio up` runs in this data directory.
pub fn database_config(config: &Config) -> anyhow::Result<tokio_postgres::Config> {
    match &config.database.url {
        Some(url) => parse(url.expose(), "database.url"),
        None => embedded(config, Login::Application),
    }
}

/// The same, past any pooler.
pub fn direct_config(config: &Config) -> anyhow::Result<tokio_postgres::Config> {
    match &config.database.direct_url {
        Some(url) => parse(url.expose(), "database.direct_url"),
        None => database_config(config),
    }
}

/// The same, as the schema's owner.
pub fn owner_config(config: &Config) -> anyhow::Result<tokio_postgres::Config> {
    match (&config.database.owner_url, &config.database.url) {
        (Some(url), _) => parse(url.expose(), "database.owner_url"),
        (None, None) => embedded(config, Login::Owner),
        (None, Some(_)) => anyhow::bail!(
            "the schema's owner is not configured: set database.owner_url (HYSIO__DATABASE__OWNER_URL)"
        ),
    }
}

fn embedded(config: &Config, login: Login) -> anyhow::Result<tokio_postgres::Config> {
    let socket = std::path::absolute(socket_dir(&config.paths.data.join("postgres")))?;
    anyhow::ensure!(
        socket.exists(),
        "no database is configured, and none runs in {}: set database.url (HYSIO__DATABASE__URL), or start `hysio up`",
        config.paths.data.display()
    );
    Ok(login.config(&socket))
}

fn parse(url: &str, key: &str) -> anyhow::Result<tokio_postgres::Config> {
    // The parser's message can quote the address, and with it a password.
    url.parse().map_err(|_| {
        anyhow::anyhow!(
            "{key} is no PostgreSQL address: write postgres://user:password@host/database"
        )
    })
}

/// The queue's Redis, if there is one.
pub fn redis_cluster(config: &Config) -> anyhow::Result<Option<Cluster>> {
    let nodes: Vec<_> = config.redis.cluster.iter().map(Secret::expose).collect();
    if nodes.is_empty() {
        return Ok(None);
    }
    Ok(Some(Cluster::new(&nodes)?))
}

/// None when caching is off: everything is right, only slower.
pub fn medical_cache(config: &Config) -> anyhow::Result<Option<MedicalCache>> {
    let redis = &config.redis;
    if !redis.cache_enabled {
        return Ok(None);
    }
    let node = redis
        .cache
        .as_ref()
        .map(|address| Node::new(address.expose()));
    Ok(Some(MedicalCache::new(
        redis.cache_megabytes,
        node.transpose()?,
    )))
}

/// The keys that sign the audit trail.
pub fn audit_keys(config: &Config) -> anyhow::Result<SigningKeys> {
    Ok(SigningKeys::load(&config.paths.audit_key())?)
}

/// Serves until the role is asked to end and for `drain_seconds` after it, and then until the requests that were begun are answered.
pub async fn serve(
    address: SocketAddr,
    router: Router,
    lifecycle: &Lifecycle,
    drain_seconds: u64,
) -> anyhow::Result<()> {
    let drain = Duration::from_secs(drain_seconds);
    let listener = listen(address).with_context(|| busy(address))?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    let closing = lifecycle.soft.clone();
    let shut = async move {
        closing.cancelled().await;
        // Those who noticed go elsewhere; for those who did not, the door is still open.
        tokio::time::sleep(drain).await;
    };
    let leaving = lifecycle.soft.clone();
    let router = router.layer(axum::middleware::map_response(
        move |mut response: axum::response::Response| {
            if leaving.is_cancelled() {
                let close = axum::http::HeaderValue::from_static("close");
                let headers = response.headers_mut();
                headers.insert(axum::http::header::CONNECTION, close);
            }
            std::future::ready(response)
        },
    ));
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service).with_graceful_shutdown(shut);
    let cut_off = async {
        lifecycle.soft.cancelled().await;
        tokio::time::sleep(drain).await;
        tokio::select! {
            () = lifecycle.hard.cancelled() => {}
            () = tokio::time::sleep(DRAIN) => tracing::warn!("requests were still going on and are cut off"),
        }
    };
    tokio::select! {
        served = async { serving.await } => served.context("serving failed"),
        () = cut_off => Ok(()),
    }
}
