//! Mail to clinicians, over SMTP. A mail says that something is ready and where, and never holds patient data. One
//! connection a mail: there are few, and a pool would keep broken ones.

use std::{fmt, io, path::PathBuf, time::Duration};

use hysio_model::{id::EncounterId, transcript::Language};
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, MultiPart},
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
        extension::ClientId,
    },
};
use url::Url;
use uuid::Uuid;

mod content;
mod endpoint;

use content::{AutoSubmitted, content};
use endpoint::{Endpoint, Security};

#[derive(Clone, Debug)]
pub struct Settings {
    /// `smtps://host` (TLS from the start, port 465), `smtp://host` (STARTTLS, port 587; on a loopback address plain,
    /// port 25), `smtp+starttls://host` (STARTTLS everywhere) or `smtp+insecure://host` (never encrypted, port 25).
    pub url: String,
    /// None to send without signing in.
    pub user: Option<String>,
    pub password_file: Option<PathBuf>,
    /// Sender, such as `Hysio <no-reply@example.org>`.
    pub from: String,
    /// For one mail, from connecting to the server's last word.
    pub timeout: Duration,
    /// Certificates (PEM) of a private authority to trust as well as the public ones.
    pub authority_file: Option<PathBuf>,
    /// Where clinicians reach the app, such as `https://hysio.example.org`.
    pub public_url: String,
}

/// "Your transcript is ready."
#[derive(Clone)]
pub struct TranscriptReady {
    /// Becomes the Message-ID: the same one for each try, so that mail programs show a repeated mail once.
    pub id: Uuid,
    pub to: String,
    pub language: Language,
    pub encounter: EncounterId,
}

/// Messages hold no address and no words of the server, as a server repeats what it was told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("mail is not set up: set the mail server's URL (smtp.url) to send any")]
    NotConfigured,
    #[error("mail setting {setting}: {problem}")]
    Setting {
        setting: &'static str,
        problem: String,
    },
    #[error("mail setting {setting}: {} cannot be read", .path.display())]
    File {
        setting: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the mail server did not finish within {} s", .0.as_secs_f32())]
    Timeout(Duration),
    #[error("the mail server could not be reached or broke off ({0})")]
    Connection(&'static str),
    #[error(
        "the mail server does not let us sign in (answer {0}): check smtp.user and the password file"
    )]
    SignIn(u16),
    #[error("the mail server refuses for now (answer {0})")]
    TryLater(u16),
    #[error("the mail server refuses this mail for good (answer {0})")]
    Refused(u16),
    #[error("the recipient's address is not a mail address")]
    Recipient,
    #[error("the mail could not be composed")]
    Compose(#[source] lettre::error::Error),
}

impl Error {
    /// Whether the same mail may go through later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Timeout(_) | Self::Connection(_) | Self::SignIn(_) | Self::TryLater(_) => true,
            Self::NotConfigured
            | Self::Setting { .. }
            | Self::File { .. }
            | Self::Refused(_)
            | Self::Recipient
            | Self::Compose(_) => false,
        }
    }
}

pub struct Mailer {
    server: Option<Server>,
}

struct Server {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    timeout: Duration,
    public_url: Url,
}

impl Mailer {
    /// Reads the password; connects only when a mail is sent.
    ///
    /// # Errors
    /// When a setting is wrong or one of its files cannot be read.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        let endpoint = Endpoint::parse(&settings.url)?;
        let public_url: Url = parse(&settings.public_url, "public_url")?;
        if !matches!(public_url.scheme(), "http" | "https") {
            return Err(setting("public_url", "use an http or https address"));
        }
        let server = Server {
            transport: transport(settings, &endpoint)?,
            from: parse(&settings.from, "from")?,
            timeout: settings.timeout,
            public_url,
        };
        Ok(Self {
            server: Some(server),
        })
    }

    /// Refuses every mail with [`Error::NotConfigured`].
    #[must_use]
    pub fn not_configured() -> Self {
        Self { server: None }
    }

    /// # Errors
    /// See [`Error::is_retryable`]. After a connection that broke off, the mail may have arrived all the same.
    pub async fn send(&self, mail: &TranscriptReady) -> Result<(), Error> {
        let server = self.server.as_ref().ok_or(Error::NotConfigured)?;
        let message = message(server, mail)?;
        match tokio::time::timeout(server.timeout, server.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(classify(&error)),
            Err(_) => Err(Error::Timeout(server.timeout)),
        }
    }
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailer")
            .field("configured", &self.server.is_some())
            .finish()
    }
}

fn transport(
    settings: &Settings,
    endpoint: &Endpoint,
) -> Result<AsyncSmtpTransport<Tokio1Executor>, Error> {
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&endpoint.host)
        .port(endpoint.port)
        .timeout(Some(settings.timeout))
        .hello_name(ClientId::default())
        .tls(tls(settings, endpoint)?);
    if let Some(user) = &settings.user {
        if !endpoint.may_carry_password() {
            return Err(setting(
                "url",
                "a password would be sent unencrypted: use smtps:// or smtp+starttls://, or no user",
            ));
        }
        builder = builder.credentials(Credentials::new(user.clone(), password(settings)?));
    }
    Ok(builder.build())
}

fn tls(settings: &Settings, endpoint: &Endpoint) -> Result<Tls, Error> {
    if endpoint.security == Security::Plain {
        return Ok(Tls::None);
    }
    let mut parameters = TlsParameters::builder(endpoint.host.clone());
    if let Some(path) = &settings.authority_file {
        let pem = std::fs::read(path).map_err(|source| Error::File {
            setting: "authority_file",
            path: path.clone(),
            source,
        })?;
        let certificate = Certificate::from_pem(&pem)
            .map_err(|_| setting("authority_file", "holds no PEM certificate"))?;
        parameters = parameters.add_root_certificate(certificate);
    }
    let parameters = parameters
        .build_rustls()
        .map_err(|_| setting("authority_file", "holds a certificate that cannot be used"))?;
    Ok(match endpoint.security {
        Security::Tls => Tls::Wrapper(parameters),
        Security::StartTls | Security::Plain => Tls::Required(parameters),
    })
}

fn password(settings: &Settings) -> Result<String, Error> {
    let path = settings
        .password_file
        .as_ref()
        .ok_or_else(|| setting("password_file", "is needed where a user is set"))?;
    let password = std::fs::read_to_string(path).map_err(|source| Error::File {
        setting: "password_file",
        path: path.clone(),
        source,
    })?;
    Ok(password.trim_end_matches(['\r', '\n']).to_owned())
}

fn message(server: &Server, mail: &TranscriptReady) -> Result<Message, Error> {
    let to: Address = mail.to.parse().map_err(|_| Error::Recipient)?;
    let content = content(mail.language, &link(&server.public_url, mail.encounter));
    Message::builder()
        .from(server.from.clone())
        .to(Mailbox::new(None, to))
        .message_id(Some(format!(
            "<{}@{}>",
            mail.id,
            server.from.email.domain()
        )))
        .header(AutoSubmitted)
        .subject(content.subject)
        .multipart(MultiPart::alternative_plain_html(
            content.text,
            content.html,
        ))
        .map_err(Error::Compose)
}

fn link(public_url: &Url, encounter: EncounterId) -> String {
    let base = public_url.as_str().trim_end_matches('/');
    format!("{base}/encounters/{encounter}")
}

fn classify(error: &lettre::transport::smtp::Error) -> Error {
    let code = error.status().map(u16::from);
    match code {
        // RFC 4954: sign-in is required, too weak, or failed. Ours to mend, so the mail is kept.
        Some(code @ (530 | 534 | 535 | 538)) => Error::SignIn(code),
        Some(code) if error.is_permanent() => Error::Refused(code),
        Some(code) => Error::TryLater(code),
        None if error.is_tls() => Error::Connection("no trusted encryption"),
        None if error.is_client() => {
            Error::Connection("the server lacks what we require, such as STARTTLS")
        }
        None if error.is_response() => Error::Connection("the answer was not SMTP"),
        None => Error::Connection("network"),
    }
}

fn parse<T: std::str::FromStr>(text: &str, name: &'static str) -> Result<T, Error>
where
    T::Err: fmt::Display,
{
    text.parse()
        .map_err(|error| setting(name, &format!("{text:?} is not valid ({error})")))
}

fn setting(setting: &'static str, problem: &str) -> Error {
    Error::Setting {
        setting,
        problem: problem.to_owned(),
    }
}

#[cfg(test)]
mod tests;
