//! Hysio's database and its two roles: one owns the schema and migrates it, the other works in it.

use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::{Client, Config, NoTls};

use super::error::Error;

pub const DATABASE: &str = "hysio";
/// Owns the schema and runs migrations. No superuser, and not exempt from row-level security.
pub const OWNER_ROLE: &str = "hysio_owner";
/// What the services use. Owns nothing.
pub const APPLICATION_ROLE: &str = "hysio_app";

const SUPERUSER: &str = "postgres";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Who connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    Application,
    Owner,
    /// For making databases and roles only.
    Superuser,
}

impl Login {
    fn role(self) -> &'static str {
        match self {
            Self::Application => APPLICATION_ROLE,
            Self::Owner => OWNER_ROLE,
            Self::Superuser => SUPERUSER,
        }
    }

    fn database(self) -> &'static str {
        match self {
            Self::Application | Self::Owner => DATABASE,
            Self::Superuser => "postgres",
        }
    }

    /// How to connect through a socket directory ([`super::socket_dir`]).
    #[must_use]
    pub fn config(self, socket: &Path) -> Config {
        let mut config = Config::new();
        config
            .host_path(socket)
            .user(self.role())
            .dbname(self.database())
            .connect_timeout(CONNECT_TIMEOUT);
        config
    }

    /// The same as text, which `tokio_postgres::Config` parses.
    #[must_use]
    pub fn connection_string(self, socket: &Path) -> String {
        let host = socket
            .display()
            .to_string()
            .replace('\\', "\\\\")
            .replace('\'', "\\'");
        format!(
            "host='{host}' user='{}' dbname='{}'",
            self.role(),
            self.database()
        )
    }
}

/// Whether the server takes connections yet.
pub(super) async fn answers(config: &Config) -> bool {
    matches!(timeout(CONNECT_TIMEOUT, connect(config)).await, Ok(Ok(_)))
}

/// Creates what is missing of the roles and the database, and takes back what nobody else may do.
pub(super) async fn ensure(superuser: &Config) -> Result<(), Error> {
    let client = connect(superuser).await?;
    for role in [OWNER_ROLE, APPLICATION_ROLE] {
        if client
            .query_opt("SELECT 1 FROM pg_roles WHERE rolname = $1", &[&role])
            .await?
            .is_none()
        {
            client.batch_execute(&format!("CREATE ROLE {role}")).await?;
        }
        let rights = "LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION";
        client
            .batch_execute(&format!("ALTER ROLE {role} {rights}"))
            .await?;
    }
    if client
        .query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&DATABASE])
        .await?
        .is_none()
    {
        client
            .batch_execute(&format!("CREATE DATABASE {DATABASE} OWNER {OWNER_ROLE}"))
            .await?;
    }
    let rights = format!(
        "REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC; GRANT CONNECT ON DATABASE {DATABASE} TO {APPLICATION_ROLE}"
    );
    client.batch_execute(&rights).await?;
    Ok(())
}

pub(super) async fn connect(config: &Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    // Ends when the client is dropped; an error reaches the client's caller anyway.
    tokio::spawn(connection);
    Ok(client)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_says_the_same_as_the_configuration() {
        let socket = Path::new("/var/lib/o'brien/socket");
        for login in [Login::Application, Login::Owner, Login::Superuser] {
            let parsed: Config = login.connection_string(socket).parse().unwrap();
            let direct = login.config(socket);
            assert_eq!(parsed.get_hosts(), direct.get_hosts());
            assert_eq!(parsed.get_user(), direct.get_user());
            assert_eq!(parsed.get_dbname(), direct.get_dbname());
        }
    }
}
