//! A mail server that speaks SMTP, keeps what it gets, and delivers nothing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use mailin::{Action, Handler, Response, SessionBuilder, response};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// A mail as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    /// Headers, an empty line, and the body.
    pub text: String,
}

/// The server. It ends with this value.
#[derive(Debug)]
pub struct Smtp {
    address: SocketAddr,
    mailbox: watch::Receiver<Vec<Mail>>,
    busy: Arc<AtomicBool>,
    accepting: JoinHandle<()>,
}

impl Smtp {
    /// Listens on a free port of this machine.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("no port for the mail server")?;
        let address = listener.local_addr()?;
        let (sender, mailbox) = watch::channel(Vec::new());
        let busy = Arc::new(AtomicBool::new(false));
        let inbox = Inbox {
            mails: Arc::new(sender),
            busy: Arc::clone(&busy),
            mail: Mail::empty(),
            bytes: Vec::new(),
        };
        let accepting = tokio::spawn(accept(listener, inbox));
        Ok(Self {
            address,
            mailbox,
            busy,
            accepting,
        })
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// While busy, every mail is turned away with 451: try again later.
    pub fn set_busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::SeqCst);
    }

    /// What has arrived so far.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        self.mailbox.borrow().clone()
    }

    /// Waits until at least `count` mails have arrived.
    ///
    /// # Errors
    /// When they have not within `patience`.
    pub async fn wait_for(&self, count: usize, patience: Duration) -> Result<Vec<Mail>> {
        let mut receiver = self.mailbox.clone();
        let waited = timeout(patience, receiver.wait_for(|mails| mails.len() >= count)).await;
        match waited {
            Ok(mails) => Ok(mails?.clone()),
            Err(_) => bail!("{} of {count} mails after {patience:?}", self.mails().len()),
        }
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, inbox: Inbox) {
    while let Ok((stream, peer)) = listener.accept().await {
        // A client that breaks off ends its own conversation only.
        tokio::spawn(converse(stream, peer, inbox.clone()));
    }
}

async fn converse(stream: TcpStream, peer: SocketAddr, inbox: Inbox) -> io::Result<()> {
    let mut stream = BufStream::new(stream);
    let mut session = SessionBuilder::new("testkit").build(peer.ip(), inbox);
    let mut reply = session.greeting();
    loop {
        match reply.action {
            Action::NoReply => {}
            Action::Reply | Action::Close | Action::UpgradeTls => {
                stream.write_all(&reply.buffer()?).await?;
            }
        }
        stream.flush().await?;
        if reply.action == Action::Close {
            return Ok(());
        }
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        reply = session.process(&line);
    }
}

/// One conversation's mail in the making, and where it goes.
#[derive(Clone)]
struct Inbox {
    mails: Arc<watch::Sender<Vec<Mail>>>,
    busy: Arc<AtomicBool>,
    mail: Mail,
    bytes: Vec<u8>,
}

impl Handler for Inbox {
    fn mail(&mut self, _ip: IpAddr, _domain: &str, _from: &str) -> Response {
        if self.busy.load(Ordering::SeqCst) {
            response::INTERNAL_ERROR
        } else {
            response::OK
        }
    }

    fn data_start(&mut self, _domain: &str, from: &str, _is8bit: bool, to: &[String]) -> Response {
        self.mail = Mail {
            from: from.to_owned(),
            to: to.to_vec(),
            text: String::new(),
        };
        self.bytes.clear();
        response::OK
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        let text = String::from_utf8_lossy(&self.bytes).into_owned();
        let mail = Mail {
            text,
            ..self.mail.clone()
        };
        self.mails.send_modify(|mails| mails.push(mail));
        response::OK
    }
}

impl Mail {
    fn empty() -> Self {
        Self {
            from: String::new(),
            to: Vec::new(),
            text: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONVERSATION: &str = "EHLO here\r\nMAIL FROM:<a@hysio.test>\r\nRCPT TO:<b@hysio.test>\r\nDATA\r\n\
        Subject: ready\r\n\r\nYour transcript is ready.\r\n.\r\nQUIT\r\n";

    #[tokio::test]
    async fn a_mail_arrives_with_its_envelope_and_text() {
        let server = Smtp::start().await.unwrap();
        talk(&server).await;
        let mails = server.wait_for(1, Duration::from_secs(5)).await.unwrap();
        assert_eq!(mails[0].from, "a@hysio.test");
        assert_eq!(mails[0].to, ["b@hysio.test"]);
        assert_eq!(
            mails[0].text,
            "Subject: ready\r\n\r\nYour transcript is ready.\r\n"
        );
    }

    #[tokio::test]
    async fn a_busy_server_turns_mail_away_for_now() {
        let server = Smtp::start().await.unwrap();
        server.set_busy(true);
        let replies = talk(&server).await;
        assert!(replies.contains("\r\n451 "), "{replies}");
        assert!(server.mails().is_empty());
    }

    /// Sends each line after the reply to the one before, as SMTP asks, and returns all replies.
    async fn talk(server: &Smtp) -> String {
        let mut stream = BufStream::new(TcpStream::connect(server.address()).await.unwrap());
        let mut replies = String::new();
        let mut in_data = false;
        read_reply(&mut stream, &mut replies).await;
        for line in CONVERSATION.split_inclusive("\r\n") {
            stream.write_all(line.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            if !in_data || line == ".\r\n" {
                read_reply(&mut stream, &mut replies).await;
            }
            if replies.contains("\r\n451 ") {
                break;
            }
            in_data = (in_data || line == "DATA\r\n") && line != ".\r\n";
        }
        replies
    }

    async fn read_reply(stream: &mut BufStream<TcpStream>, replies: &mut String) {
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            replies.push_str(&line);
            if line.as_bytes().get(3) != Some(&b'-') {
                return;
            }
        }
    }
}
