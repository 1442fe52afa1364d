//! Connections, and the way into a transaction.

use std::{sync::Arc, time::Duration};

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use hysio_model::id::FacilityId;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{Error, Result, Tx, keys::Vault};

/// How long a caller waits for a free connection before it is told to come back later.
const WAIT_FOR_CONNECTION: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
pub struct Settings {
    pub config: tokio_postgres::Config,
    /// `DATABASE_POOL_SIZE`.
    pub pool_size: usize,
}

/// A pool of connections and the keys to what is behind them. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    pool: Pool,
    vault: Arc<Vault>,
}

impl Database {
    /// Makes the pool, without connecting yet.
    pub fn new(settings: &Settings, vault: Vault) -> Result<Self> {
        Ok(Self {
            pool: pool(settings)?,
            vault: Arc::new(vault),
        })
    }

    /// A connection outside any facility: for what concerns the platform as a whole.
    pub async fn client(&self) -> Result<Object> {
        Ok(self.pool.get().await?)
    }

    /// A transaction that acts for `facility`.
    pub async fn tx(&self, facility: FacilityId) -> Result<Tx> {
        let client = self.client().await?;
        let keys = self.vault.keys(&**client, facility).await?;
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
        self.client().await?.simple_query("SELECT 1").await?;
        Ok(())
    }

    pub fn close(&self) {
        self.pool.close();
    }
}

fn pool(settings: &Settings) -> Result<Pool> {
    let mut config = settings.config.clone();
    config.connect_timeout(CONNECT_TIMEOUT);
    let recycling = ManagerConfig {
        recycling_method: RecyclingMethod::Fast,
    };
    let manager = Manager::from_config(config, tls(&settings.config)?, recycling);
    Pool::builder(manager)
        .max_size(settings.pool_size)
        .wait_timeout(Some(WAIT_FOR_CONNECTION))
        .create_timeout(Some(CONNECT_TIMEOUT))
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| Error::Settings(error.to_string()))
}

/// TLS as the connection string asks for it (`sslmode`), trusting what the operating system trusts.
pub(super) fn tls(config: &tokio_postgres::Config) -> Result<MakeRustlsConnect> {
    use rustls_platform_verifier::BuilderVerifierExt as _;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Settings(error.to_string()))?;
    let client = if config.get_ssl_mode() == SslMode::Disable {
        builder
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth()
    } else {
        builder
            .with_platform_verifier()
            .map_err(|error| {
                Error::Settings(format!("the system's certificates cannot be read: {error}"))
            })?
            .with_no_client_auth()
    };
    Ok(MakeRustlsConnect::new(client))
}
