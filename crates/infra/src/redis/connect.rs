//! Connections that are made when first needed, and come back by themselves.

use std::{sync::Arc, time::Duration};

use redis::{
    Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, TlsCertificates,
    aio::{ConnectionManager, ConnectionManagerConfig},
    cluster::{ClusterClient, ClusterClientBuilder},
    cluster_async::ClusterConnection,
};
use tokio::sync::Mutex;

use super::{Away, Result};
use crate::{postgres::Error, trust};

const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// A cache that is slower than this is no help.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);

/// The queue's cluster.
#[derive(Clone)]
pub struct Cluster {
    client: ClusterClient,
    shared: Arc<Mutex<Option<ClusterConnection>>>,
}

impl Cluster {
    /// # Errors
    /// When an address is none.
    pub fn new(nodes: &[&str]) -> std::result::Result<Self, Error> {
        use_one_tls();
        let nodes: Vec<ConnectionInfo> = nodes
            .iter()
            .map(|node| parse(node))
            .collect::<std::result::Result<_, _>>()?;
        let mut builder = ClusterClientBuilder::new(nodes)
            .connection_timeout(CONNECT_WITHIN)
            .response_timeout(Duration::from_secs(5))
            .retries(3);
        if let Some(pem) = trust::pem() {
            builder = builder.certs(TlsCertificates {
                client_tls: None,
                root_cert: Some(pem.to_vec()),
            });
        }
        Ok(Self {
            client: builder
                .build()
                .map_err(|_| Error::Settings("redis.cluster has no usable addresses".into()))?,
            shared: Arc::default(),
        })
    }

    /// The connection that all share: for what answers at once.
    pub(super) async fn shared(&self) -> Result<ClusterConnection> {
        let mut shared = self.shared.lock().await;
        if let Some(connection) = &*shared {
            return Ok(connection.clone());
        }
        let connection = self.own().await?;
        *shared = Some(connection.clone());
        Ok(connection)
    }

    /// A connection of one's own: for what waits on the server.
    pub(super) async fn own(&self) -> Result<ClusterConnection> {
        let connecting = self.client.get_async_connection();
        match tokio::time::timeout(CONNECT_WITHIN * 2, connecting).await {
            Ok(connected) => Ok(connected?),
            Err(_) => Err(Away {
                kind: "no answer in time",
            }),
        }
    }
}

/// The cache.
#[derive(Clone)]
pub struct Node {
    client: Client,
    shared: Arc<Mutex<Option<ConnectionManager>>>,
}

impl Node {
    /// # Errors
    /// When the address is none.
    pub fn new(address: &str) -> std::result::Result<Self, Error> {
        use_one_tls();
        let info = parse(address)?;
        let wrong = |_| Error::Settings("redis.cache is no usable address".into());
        let client = match (info.addr(), trust::pem()) {
            (ConnectionAddr::TcpTls { .. }, Some(pem)) => Client::build_with_tls(
                info,
                TlsCertificates {
                    client_tls: None,
                    root_cert: Some(pem.to_vec()),
                },
            )
            .map_err(wrong)?,
            _ => Client::open(info).map_err(wrong)?,
        };
        Ok(Self {
            client,
            shared: Arc::default(),
        })
    }

    pub(super) async fn shared(&self) -> Result<ConnectionManager> {
        let mut shared = self.shared.lock().await;
        if let Some(connection) = &*shared {
            return Ok(connection.clone());
        }
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(Some(ANSWER_WITHIN))
            .set_number_of_retries(1);
        let connection = self
            .client
            .get_connection_manager_with_config(config)
            .await?;
        *shared = Some(connection.clone());
        Ok(connection)
    }
}

fn parse(address: &str) -> std::result::Result<ConnectionInfo, Error> {
    // The parser's message can quote the address, and with it a password.
    address
        .into_connection_info()
        .map_err(|_| Error::Settings("redis: write rediss://user:password@host:port".into()))
}

/// The crate takes the process's own provider of cryptography, which is to be the one that all else uses.
fn use_one_tls() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
