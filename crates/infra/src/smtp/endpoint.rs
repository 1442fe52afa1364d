//! Where the mail server is, and how the way there is protected.

use std::net::IpAddr;

use url::{Host, Url};

use super::{Error, parse, setting};

#[derive(Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub host: String,
    pub port: u16,
    pub security: Security,
    loopback: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte.
    Tls,
    /// Nothing is sent before STARTTLS has succeeded.
    StartTls,
    Plain,
}

impl Endpoint {
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.contains('@') {
            return Err(setting(
                "url",
                "holds a user: use smtp.user and a password file",
            ));
        }
        let url: Url = parse(text, "url")?;
        let (host, loopback) = host(&url).ok_or_else(|| setting("url", "names no host"))?;
        let security = match url.scheme() {
            "smtps" => Security::Tls,
            "smtp+starttls" => Security::StartTls,
            "smtp" if loopback => Security::Plain,
            "smtp" => Security::StartTls,
            "smtp+insecure" => Security::Plain,
            _ => {
                return Err(setting(
                    "url",
                    "use smtp://, smtps://, smtp+starttls:// or smtp+insecure://",
                ));
            }
        };
        Ok(Self {
            port: url.port().unwrap_or(security.default_port()),
            host,
            security,
            loopback,
        })
    }

    pub fn may_carry_password(&self) -> bool {
        self.loopback || self.security != Security::Plain
    }
}

impl Security {
    fn default_port(self) -> u16 {
        match self {
            Self::Tls => 465,
            Self::StartTls => 587,
            Self::Plain => 25,
        }
    }
}

/// The host without brackets, and whether it is this machine. Of a scheme that the web does not know, `url` leaves an
/// address unparsed.
fn host(url: &Url) -> Option<(String, bool)> {
    let text = match url.host()? {
        Host::Domain(name) => name.to_owned(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    };
    let loopback = match text.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => text.eq_ignore_ascii_case("localhost"),
    };
    (!text.is_empty()).then_some((text, loopback))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str) -> (Security, u16) {
        let endpoint = Endpoint::parse(url).unwrap();
        (endpoint.security, endpoint.port)
    }

    #[test]
    fn the_way_is_encrypted_unless_it_is_local_or_said_otherwise() {
        assert_eq!(
            endpoint("smtp://mail.example.org"),
            (Security::StartTls, 587)
        );
        assert_eq!(endpoint("smtps://mail.example.org"), (Security::Tls, 465));
        assert_eq!(endpoint("smtp://127.0.0.1:1025"), (Security::Plain, 1025));
        assert_eq!(endpoint("smtp://[::1]"), (Security::Plain, 25));
        assert_eq!(endpoint("smtp://localhost"), (Security::Plain, 25));
        assert_eq!(
            endpoint("smtp+starttls://localhost"),
            (Security::StartTls, 587)
        );
        assert_eq!(
            endpoint("smtp+insecure://relay.internal"),
            (Security::Plain, 25)
        );
    }

    #[test]
    fn a_url_that_cannot_be_right_is_refused() {
        for url in [
            "",
            "mail.example.org",
            "http://mail.example.org",
            "smtp://",
            "smtp://user:secret@mail.example.org",
        ] {
            let error = Endpoint::parse(url).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
