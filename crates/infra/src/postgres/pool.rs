//! Connections, and the way into a transaction.

use std::{sync::Arc, time::Duration};

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use hysio_model::id::FacilityId;
use rustls_platform_verifier::Verifier;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    Error, Result, Tx, connection::Connection, keys::Vault, outage::Outage, replica::Replica,
};
use crate::trust;

/// How long a caller waits for a free connection before it is told to come back later.
const WAIT_FOR_CONNECTION: Duration = Duration::from_secs(5);
/// A replica that is slow to come is not waited for: the primary is asked.
const WAIT_FOR_REPLICA: Duration = Duration::from_secs(2);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
pub struct Settings {
    pub config: tokio_postgres::Config,
    /// `DATABASE_POOL_SIZE`.
    pub pool_size: usize,
    /// Whether a pooler in transaction mode is in between.
    pub pooled: bool,
    /// Where replicas are read from.
    pub replica: Option<tokio_postgres::Config>,
}

impl Settings {
    /// Without a pooler or replicas.
    #[must_use]
    pub fn new(config: tokio_postgres::Config, pool_size: usize) -> Self {
        Self {
            config,
            pool_size,
            pooled: false,
            replica: None,
        }
    }
}

/// A pool of connections and the keys to what is behind them. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    pool: Pool,
    vault: Arc<Vault>,
    pooled: bool,
    pub(super) replica: Option<Arc<Replica>>,
    pub(super) outage: Arc<Outage>,
}

impl Database {
    /// Makes the pool, without connecting yet.
    pub fn new(settings: &Settings, vault: Vault) -> Result<Self> {
        let replica = settings.replica.as_ref().map(|config| {
            let pool = pool(config, settings.pool_size, WAIT_FOR_REPLICA)?;
            Ok::<_, Error>(Arc::new(Replica::new(pool, settings.pooled)))
        });
        Ok(Self {
            pool: pool(&settings.config, settings.pool_size, WAIT_FOR_CONNECTION)?,
            vault: Arc::new(vault),
            pooled: settings.pooled,
            replica: replica.transpose()?,
            outage: Arc::new(Outage::new()),
        })
    }

    /// A connection outside any facility: for what concerns the platform as a whole.
    pub async fn client(&self) -> Result<Connection> {
        Ok(Connection::new(self.pool.get().await?, self.pooled))
    }

    /// A transaction that acts for `facility`.
    pub async fn tx(&self, facility: FacilityId) -> Result<Tx> {
        let client = self.client().await?;
        let keys = self.vault.keys(&client, facility).await?;
        Ok(Tx::new(client, self.vault.clone(), Some((facility, keys))))
    }

    /// A transaction that acts for no facility: accounts, sessions, and entries about the platform.
    pub async fn platform_tx(&self) -> Result<Tx> {
        Ok(Tx::new(self.client().await?, self.vault.clone(), None))
    }

    #[must_use]
    pub fn vault(&self) -> &Arc<Vault> {
        &self.vault
    }

    /// Connections in use and connections at most, for `hysio_db_connection_pool_usage`.
    #[must_use]
    pub fn usage(&self) -> (usize, usize) {
        let status = self.pool.status();
        (
            status.size.saturating_sub(status.available),
            status.max_size,
        )
    }

    /// Holds this many connections at most from now on; what is too many is closed when it comes back.
    pub fn resize(&self, connections: usize) {
        self.pool.resize(connections);
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        self.client().await?.batch_execute("SELECT 1").await?;
        Ok(())
    }

    pub fn close(&self) {
        self.pool.close();
    }
}

fn pool(config: &tokio_postgres::Config, size: usize, wait: Duration) -> Result<Pool> {
    let tls = tls(config)?;
    let mut config = config.clone();
    config.connect_timeout(CONNECT_TIMEOUT);
    let recycling = ManagerConfig {
        recycling_method: RecyclingMethod::Fast,
    };
    let manager = Manager::from_config(config, tls, recycling);
    Pool::builder(manager)
        .max_size(size)
        .wait_timeout(Some(wait))
        .create_timeout(Some(wait.min(CONNECT_TIMEOUT)))
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| Error::Settings(error.to_string()))
}

/// TLS as the connection string asks for it (`sslmode`), trusting what the operating system trusts, and [`trust`].
pub fn tls(config: &tokio_postgres::Config) -> Result<MakeRustlsConnect> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Settings(error.to_string()))?;
    let client = if config.get_ssl_mode() == SslMode::Disable {
        builder
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth()
    } else {
        let verifier =
            Verifier::new_with_extra_roots(trust::certificates(), provider).map_err(|error| {
                Error::Settings(format!("the system's certificates cannot be read: {error}"))
            })?;
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth()
    };
    Ok(MakeRustlsConnect::new(client))
}
