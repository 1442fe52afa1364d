//! Real SMTP conversations with a small server on loopback.

use std::{io::Write, sync::Arc};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer},
    },
};

use super::*;

/// How the server misbehaves, if it does.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Friendly,
    /// Answers this line to the command that starts with these letters.
    Answer(&'static str, &'static str),
    /// Never answers that command.
    Silent(&'static str),
    /// Closes the connection in the middle of the message.
    DropInData,
}

struct TestServer {
    port: u16,
    /// Every line that was received, ended by the conversation's end.
    conversation: JoinHandle<Vec<String>>,
}

impl TestServer {
    async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let conversation = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"220 test ESMTP\r\n").await.unwrap();
            let mut heard = Vec::new();
            converse(stream, manner, "250 test\r\n", &mut heard).await;
            heard
        });
        Self { port, conversation }
    }

    /// Offers STARTTLS with this certificate, and speaks no mail before it.
    async fn start_tls(config: ServerConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let conversation = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"220 test ESMTP\r\n").await.unwrap();
            let mut heard = Vec::new();
            let greeting = "250-test\r\n250 STARTTLS\r\n";
            if !converse(&mut stream, Manner::Friendly, greeting, &mut heard).await {
                return heard;
            }
            let acceptor = TlsAcceptor::from(Arc::new(config));
            if let Ok(stream) = acceptor.accept(stream).await {
                heard.push("(encrypted)".to_owned());
                let greeting = "250-test\r\n250 AUTH PLAIN\r\n";
                converse(stream, Manner::Friendly, greeting, &mut heard).await;
            }
            heard
        });
        Self { port, conversation }
    }

    async fn heard(self) -> Vec<String> {
        self.conversation.await.unwrap()
    }
}

/// Speaks until the client leaves; true where it asked for STARTTLS.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    manner: Manner,
    greeting: &str,
    heard: &mut Vec<String>,
) -> bool {
    let mut stream = BufReader::new(stream);
    let mut in_data = false;
    loop {
        let mut line = String::new();
        if !matches!(stream.read_line(&mut line).await, Ok(length) if length > 0) {
            return false;
        }
        let line = line.trim_end().to_owned();
        heard.push(line.clone());
        if in_data && line != "." {
            if manner == Manner::DropInData {
                return false;
            }
            continue;
        }
        let word = if in_data { "." } else { &line };
        let answer = match manner {
            Manner::Silent(command) if word.starts_with(command) => continue,
            Manner::Answer(command, answer) if word.starts_with(command) => {
                format!("{answer}\r\n")
            }
            Manner::Friendly | Manner::Answer(..) | Manner::Silent(_) | Manner::DropInData => {
                match word.split(' ').next().unwrap() {
                    "EHLO" => greeting.to_owned(),
                    "DATA" => "354 go on\r\n".to_owned(),
                    "STARTTLS" => "220 go on\r\n".to_owned(),
                    "AUTH" => "235 welcome\r\n".to_owned(),
                    "QUIT" => "221 bye\r\n".to_owned(),
                    _ => "250 ok\r\n".to_owned(),
                }
            }
        };
        in_data = answer.starts_with("354");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return false;
        }
        if answer.starts_with("220") {
            return true;
        }
    }
}

fn settings(url: String) -> Settings {
    Settings {
        url,
        user: None,
        password_file: None,
        from: "Hysio <no-reply@hysio.example>".to_owned(),
        timeout: Duration::from_secs(20),
        authority_file: None,
        public_url: "https://hysio.example/app/".to_owned(),
    }
}

fn mail(language: Language) -> TranscriptReady {
    TranscriptReady {
        id: Uuid::from_u128(7),
        to: "clinician@hospital.example".to_owned(),
        language,
        encounter: EncounterId(Uuid::from_u128(42)),
    }
}

async fn send_to(manner: Manner, timeout: Duration) -> (Result<(), Error>, Vec<String>) {
    let server = TestServer::start(manner).await;
    let mut settings = settings(format!("smtp://127.0.0.1:{}", server.port));
    settings.timeout = timeout;
    let result = Mailer::new(&settings)
        .unwrap()
        .send(&mail(Language::English))
        .await;
    (result, server.heard().await)
}

const PATIENT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_mail_arrives_with_the_link_and_nothing_about_a_patient() {
    for (language, subject) in [
        (Language::English, "Subject: Your transcript is ready"),
        (Language::Dutch, "Subject: Uw transcript staat klaar"),
    ] {
        let server = TestServer::start(Manner::Friendly).await;
        let settings = settings(format!("smtp://127.0.0.1:{}", server.port));
        let mailer = Mailer::new(&settings).unwrap();
        mailer.send(&mail(language)).await.unwrap();
        let heard = server.heard().await;

        let has = |wanted: &str| heard.iter().any(|line| line.contains(wanted));
        assert!(has("RCPT TO:<clinician@hospital.example>"));
        assert!(has(subject), "{heard:#?}");
        assert!(has("Auto-Submitted: auto-generated"));
        assert!(has(
            "Message-ID: <00000000-0000-0000-0000-000000000007@hysio.example>"
        ));
        let link = format!(
            "https://hysio.example/app/encounters/{}",
            Uuid::from_u128(42)
        );
        // Quoted-printable breaks long lines after an equals sign.
        let whole = heard.join("\n").replace("=\n", "");
        assert_eq!(whole.matches(&link).count(), 2, "text and HTML: {whole}");
        assert!(has("text/plain") && has("text/html"));
    }
}

/// What a mail may be made from is an id, an address and a language: no patient data can get into it.
#[test]
fn a_mail_is_the_same_for_every_patient_but_for_its_link() {
    let link = "https://hysio.example/encounters/1";
    let text = content(Language::Dutch, link).text;
    let other = content(Language::Dutch, "https://hysio.example/encounters/2").text;
    assert_eq!(
        text.replace(link, ""),
        other.replace("https://hysio.example/encounters/2", "")
    );
}

#[tokio::test]
async fn a_refusal_for_now_is_retryable() {
    for (command, answer) in [
        ("MAIL", "451 try later"),
        ("RCPT", "450 mailbox busy"),
        (".", "452 no space"),
    ] {
        let (result, _) = send_to(Manner::Answer(command, answer), PATIENT).await;
        let error = result.unwrap_err();
        assert!(
            matches!(error, Error::TryLater(_)) && error.is_retryable(),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_refusal_for_good_is_final_and_names_nobody() {
    let answer = "550 no such user clinician@hospital.example";
    let (result, heard) = send_to(Manner::Answer("RCPT", answer), PATIENT).await;
    let error = result.unwrap_err();
    assert!(
        matches!(error, Error::Refused(550)) && !error.is_retryable(),
        "{error}"
    );
    assert!(!format!("{error} {error:?}").contains("clinician"));
    assert!(!heard.iter().any(|line| line == "DATA"));
}

#[tokio::test]
async fn a_server_that_hangs_is_left_when_time_is_up() {
    let short = Duration::from_millis(300);
    for command in ["EHLO", "RCPT", "."] {
        let (result, _) = send_to(Manner::Silent(command), short).await;
        let error = result.unwrap_err();
        assert!(
            matches!(error, Error::Timeout(_)) && error.is_retryable(),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_connection_that_breaks_off_in_the_message_is_retryable() {
    let (result, _) = send_to(Manner::DropInData, PATIENT).await;
    let error = result.unwrap_err();
    assert!(
        matches!(error, Error::Connection(_)) && error.is_retryable(),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_retryable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let mailer = Mailer::new(&settings(format!("smtp://127.0.0.1:{port}"))).unwrap();
    let error = mailer.send(&mail(Language::English)).await.unwrap_err();
    assert!(
        matches!(error, Error::Connection(_)) && error.is_retryable(),
        "{error}"
    );
}

#[tokio::test]
async fn nothing_is_sent_to_a_server_without_starttls_where_it_is_required() {
    let server = TestServer::start(Manner::Friendly).await;
    let settings = settings(format!("smtp+starttls://127.0.0.1:{}", server.port));
    let mailer = Mailer::new(&settings).unwrap();
    mailer.send(&mail(Language::English)).await.unwrap_err();
    let heard = server.heard().await;
    assert!(
        !heard.iter().any(|line| line.starts_with("MAIL")),
        "{heard:?}"
    );
}

#[tokio::test]
async fn starttls_with_a_trusted_certificate_carries_password_and_mail() {
    let (config, pem) = certificate();
    let server = TestServer::start_tls(config).await;
    let authority = file(pem.as_bytes());
    let password = file(b"open sesame\n");
    let mut settings = settings(format!("smtp+starttls://localhost:{}", server.port));
    settings.authority_file = Some(authority.path().to_owned());
    settings.user = Some("hysio".to_owned());
    settings.password_file = Some(password.path().to_owned());
    let mailer = Mailer::new(&settings).unwrap();
    mailer.send(&mail(Language::English)).await.unwrap();

    let heard = server.heard().await;
    let position = |wanted: &str| heard.iter().position(|line| line.starts_with(wanted));
    assert!(position("AUTH") > position("(encrypted)"), "{heard:?}");
    assert!(position("MAIL") > position("(encrypted)"), "{heard:?}");
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_not_trusted() {
    let (config, _) = certificate();
    let server = TestServer::start_tls(config).await;
    let settings = settings(format!("smtp+starttls://localhost:{}", server.port));
    let mailer = Mailer::new(&settings).unwrap();
    let error = mailer.send(&mail(Language::English)).await.unwrap_err();
    assert!(matches!(error, Error::Connection(_)), "{error}");
    let heard = server.heard().await;
    assert!(
        !heard.iter().any(|line| line.starts_with("MAIL")),
        "{heard:?}"
    );
}

#[tokio::test]
async fn what_cannot_be_sent_says_why() {
    let error = Mailer::not_configured()
        .send(&mail(Language::English))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("smtp.url") && !error.is_retryable());

    let mailer = Mailer::new(&settings("smtp://127.0.0.1:1".to_owned())).unwrap();
    let mut nobody = mail(Language::English);
    nobody.to = "not an address\r\nBcc: all@hospital.example".to_owned();
    let error = mailer.send(&nobody).await.unwrap_err();
    assert!(matches!(error, Error::Recipient), "{error}");
}

#[test]
fn a_password_never_travels_unencrypted() {
    let password = file(b"open sesame");
    let mut settings = settings("smtp+insecure://mail.example.org".to_owned());
    settings.user = Some("hysio".to_owned());
    settings.password_file = Some(password.path().to_owned());
    let error = Mailer::new(&settings).unwrap_err().to_string();
    assert!(error.contains("unencrypted"), "{error}");
}

fn certificate() -> (ServerConfig, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let chain: Vec<CertificateDer<'static>> = vec![made.cert.der().clone()];
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    (config, made.cert.pem())
}

fn file(content: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    file
}
