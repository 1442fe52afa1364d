//! One clinician's browser: a session, and a connection that is kept.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, StatusCode,
    client::conn::http1::{SendRequest, handshake},
    header,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

/// Nobody waits longer in front of a page.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Browser {
    address: SocketAddr,
    cookie: String,
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
    pub fn new(address: SocketAddr, cookie: String) -> Self {
        Self {
            address,
            cookie,
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
            .header(header::HOST, self.address.to_string())
            .header(header::COOKIE, &self.cookie)
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
            self.connection = Some(connect(self.address).await?);
        }
        let connection = self.connection.as_mut().expect("connected above");
        connection.ready().await?;
        let response = connection.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        Ok(Answer { status, body })
    }
}

async fn connect(address: SocketAddr) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (connection, driver) = handshake(TokioIo::new(stream)).await?;
    // What goes wrong in it is seen by whoever sends.
    tokio::spawn(driver);
    Ok(connection)
}
