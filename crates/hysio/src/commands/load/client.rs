//! One clinician's browser: a session, and a connection that is kept.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, StatusCode,
    client::conn::http1::{SendRequest, handshake},
    header,
};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{
    net::{TcpSocket, lookup_host},
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// Nobody waits longer in front of a page.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the API is.
#[derive(Clone)]
pub struct Target {
    address: SocketAddr,
    host: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Target {
    pub async fn of(url: &str) -> anyhow::Result<Self> {
        let wrong = || format!("{url} is no address: write https://host:port");
        let url: reqwest::Url = url.parse().with_context(wrong)?;
        let host = url.host_str().with_context(wrong)?.to_owned();
        let port = url.port_or_known_default().with_context(wrong)?;
        let mut addresses: Vec<_> = lookup_host((host.as_str(), port)).await?.collect();
        addresses.sort_by_key(SocketAddr::is_ipv6);
        let tls = match url.scheme() {
            "https" => Some((tls()?, ServerName::try_from(host.clone())?)),
            _ => None,
        };
        Ok(Self {
            address: *addresses.first().with_context(wrong)?,
            host: format!("{host}:{port}"),
            tls,
        })
    }
}

/// The installation's own authority, or else the operating system's.
fn tls() -> anyhow::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    for certificate in hysio_infra::trust::certificates() {
        roots.add(certificate)?;
    }
    anyhow::ensure!(
        !roots.is_empty(),
        "set paths.trusted_certificates to the authority of the installation"
    );
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

pub struct Browser {
    target: Target,
    /// Which of the machine's own addresses it comes from: limits count by address.
    number: u32,
    session: String,
    /// How far the session has seen the database's log.
    seen: Option<String>,
    connection: Option<SendRequest<Full<Bytes>>>,
}

pub struct Answer {
    pub status: StatusCode,
    pub body: Bytes,
}

/// Why there was no answer.
#[derive(Clone, Copy, Debug)]
pub enum NoAnswer {
    Timeout,
    Disconnected,
}

impl Browser {
    pub fn new(target: Target, number: u32, session: String) -> Self {
        Self {
            target,
            number,
            session,
            seen: None,
            connection: None,
        }
    }

    /// Reads a page's data, compressed as browsers ask for it.
    pub async fn get(&mut self, path: &str) -> Result<Answer, NoAnswer> {
        let request = self
            .request(Method::GET, path)
            .header(header::ACCEPT_ENCODING, "gzip");
        self.send(request.body(Full::default())).await
    }

    pub async fn put(&mut self, path: &str, json: Vec<u8>) -> Result<Answer, NoAnswer> {
        let request = self
            .request(Method::PUT, path)
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-hysio-request", "1");
        self.send(request.body(Full::from(json))).await
    }

    fn request(&self, method: Method, path: &str) -> hyper::http::request::Builder {
        Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.target.host)
            .header(header::COOKIE, self.cookies())
    }

    fn cookies(&self) -> String {
        match &self.seen {
            Some(seen) => format!("{}; {seen}", self.session),
            None => self.session.clone(),
        }
    }

    async fn send(
        &mut self,
        request: hyper::http::Result<Request<Full<Bytes>>>,
    ) -> Result<Answer, NoAnswer> {
        let request = request.expect("paths and headers are our own");
        let answer = timeout(PATIENCE, self.exchange(request)).await;
        let result = match answer {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(_)) => NoAnswer::Disconnected,
            Err(_) => NoAnswer::Timeout,
        };
        self.connection = None;
        Err(result)
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
        if self.connection.as_ref().is_none_or(SendRequest::is_closed) {
            self.connection = Some(connect(&self.target, self.number).await?);
        }
        let connection = self.connection.as_mut().expect("connected above");
        connection.ready().await?;
        let response = connection.send_request(request).await?;
        let status = response.status();
        let kept = response.headers().get_all(header::SET_COOKIE).iter();
        let kept = kept.filter_map(|value| value.to_str().ok()?.split(';').next());
        if let Some(seen) = kept
            .into_iter()
            .find(|cookie| cookie.contains("hysio_seen="))
        {
            self.seen = Some(seen.to_owned());
        }
        let body = response.into_body().collect().await?.to_bytes();
        Ok(Answer { status, body })
    }
}

async fn connect(target: &Target, number: u32) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let socket = if target.address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    if target.address.ip() == IpAddr::from(Ipv4Addr::LOCALHOST) {
        // All of 127.0.0.0/8 is this machine: each clinician comes from an address of their own.
        let [_, a, b, c] = (number + 0x0002_0000).to_be_bytes();
        socket.bind((Ipv4Addr::new(127, a, b, c), 0).into())?;
    }
    let stream = socket.connect(target.address).await?;
    stream.set_nodelay(true)?;
    // What goes wrong in the driver is seen by whoever sends.
    match &target.tls {
        Some((connector, name)) => {
            let stream = connector.connect(name.clone(), stream).await?;
            let (connection, driver) = handshake(TokioIo::new(stream)).await?;
            tokio::spawn(driver);
            Ok(connection)
        }
        None => {
            let (connection, driver) = handshake(TokioIo::new(stream)).await?;
            tokio::spawn(driver);
            Ok(connection)
        }
    }
}
