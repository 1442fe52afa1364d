//! What a cluster consists of and where everything is. Pure.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

pub const DATABASES: [&str; 3] = ["db1", "db2", "db3"];
pub const QUEUE_NODES: u16 = 6;
/// Each kind of instance has this many ports.
pub const INSTANCES_MAX: u16 = 8;
/// Ports that a cluster takes, from its first on.
pub const PORTS: u16 = 100;

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Plan {
    /// Where it keeps everything.
    pub state: PathBuf,
    /// The first of its ports; NGINX listens there.
    pub base_port: u16,
    pub apps: u16,
    pub transcription: u16,
    pub diagnosecode: u16,
    /// Whether each pool of workers is started, and the scaler that sets how many.
    pub workers: bool,
    pub scaler: bool,
    pub redis: bool,
    pub prometheus: bool,
    /// Whether the database's log is archived, and backed up from time to time.
    #[serde(default)]
    pub backups: bool,
    /// Megabytes for each PostgreSQL.
    pub database_megabytes: u64,
}

impl Plan {
    fn local(&self, offset: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.base_port + offset).into()
    }

    /// HTTPS for everybody.
    #[must_use]
    pub fn https(&self) -> SocketAddr {
        self.local(0)
    }

    #[must_use]
    pub fn http(&self) -> SocketAddr {
        self.local(1)
    }

    /// NGINX between the services.
    #[must_use]
    pub fn inside(&self) -> SocketAddr {
        self.local(2)
    }

    #[must_use]
    pub fn public_url(&self) -> String {
        format!("https://localhost:{}", self.base_port)
    }

    #[must_use]
    pub fn app(&self, number: u16) -> SocketAddr {
        self.local(10 + number)
    }

    #[must_use]
    pub fn transcription_at(&self, number: u16) -> SocketAddr {
        self.local(20 + number)
    }

    #[must_use]
    pub fn diagnosecode_at(&self, number: u16) -> SocketAddr {
        self.local(30 + number)
    }

    /// The databases have the same port and a loopback address each, as machines have.
    #[must_use]
    pub fn database_host(number: usize) -> IpAddr {
        let last = u8::try_from(number + 1).unwrap_or(u8::MAX);
        Ipv4Addr::new(127, 0, 1, last).into()
    }

    #[must_use]
    pub fn database_port(&self) -> u16 {
        self.base_port + 50
    }

    #[must_use]
    pub fn pgbouncer(&self) -> SocketAddr {
        self.local(51)
    }

    #[must_use]
    pub fn queue_node(&self, number: u16) -> SocketAddr {
        self.local(60 + number)
    }

    /// Where the nodes of the cluster talk to each other.
    #[must_use]
    pub fn queue_bus(&self, number: u16) -> u16 {
        self.base_port + 70 + number
    }

    #[must_use]
    pub fn cache(&self) -> SocketAddr {
        self.local(80)
    }

    #[must_use]
    pub fn prometheus_at(&self) -> SocketAddr {
        self.local(90)
    }

    /// Every address, with the name of who listens there.
    #[must_use]
    pub fn addresses(&self) -> Vec<(String, SocketAddr)> {
        let mut all = vec![
            ("nginx".to_owned(), self.https()),
            ("nginx, plain".to_owned(), self.http()),
            ("nginx, inside".to_owned(), self.inside()),
            ("pgbouncer".to_owned(), self.pgbouncer()),
        ];
        for (number, name) in DATABASES.iter().enumerate() {
            let address = (Self::database_host(number), self.database_port()).into();
            all.push(((*name).to_owned(), address));
        }
        all.extend((0..self.apps).map(|n| (format!("app{}", n + 1), self.app(n))));
        all.extend(
            (0..self.transcription)
                .map(|n| (format!("transcription{}", n + 1), self.transcription_at(n))),
        );
        all.extend(
            (0..self.diagnosecode)
                .map(|n| (format!("diagnosecode{}", n + 1), self.diagnosecode_at(n))),
        );
        if self.redis {
            all.extend((0..QUEUE_NODES).map(|n| (format!("redis{}", n + 1), self.queue_node(n))));
            all.push(("redis-cache".to_owned(), self.cache()));
        }
        if self.prometheus {
            all.push(("prometheus".to_owned(), self.prometheus_at()));
        }
        all
    }

    #[must_use]
    pub fn etc(&self, of: &str) -> PathBuf {
        self.state.join("etc").join(of)
    }

    #[must_use]
    pub fn tls(&self, file: &str) -> PathBuf {
        self.state.join("etc/tls").join(file)
    }

    #[must_use]
    pub fn log(&self, name: &str) -> PathBuf {
        self.state.join("log").join(format!("{name}.log"))
    }

    /// Of one server: nobody else writes there.
    #[must_use]
    pub fn data(&self, name: &str) -> PathBuf {
        self.state.join("data").join(name)
    }

    #[must_use]
    pub fn run(&self) -> PathBuf {
        self.state.join("run")
    }

    #[must_use]
    pub fn secrets(&self) -> PathBuf {
        self.state.join("secrets.json")
    }

    /// A server with a file of its name here is not to run: it was cut off by a failover.
    #[must_use]
    pub fn fence(&self, name: &str) -> PathBuf {
        self.state.join("fenced").join(name)
    }

    /// The database's repository and what belongs to it.
    #[must_use]
    pub fn backups(&self, of: &str) -> PathBuf {
        self.state.join("backups").join(of)
    }

    /// pgBackRest's configuration for a server: a file, and a folder of further ones.
    #[must_use]
    pub fn pgbackrest(&self, database: &str) -> [PathBuf; 2] {
        let etc = self.etc("pgbackrest");
        [etc.join("pgbackrest.conf"), etc.join(database)]
    }

    /// Says that the database was restored, until that is written into its trail.
    #[must_use]
    pub fn restored(&self) -> PathBuf {
        self.state.join("restored.json")
    }

    /// The configuration of Hysio's own processes.
    #[must_use]
    pub fn hysio_config(&self) -> PathBuf {
        self.state.join("hysio.yaml")
    }

    /// The same with the schema owner's role, for whoever runs the cluster.
    #[must_use]
    pub fn operator_config(&self) -> PathBuf {
        self.state.join("operator.yaml")
    }

    /// # Errors
    /// When a number is out of its range.
    pub fn check(&self) -> anyhow::Result<()> {
        for (what, count) in [
            ("--apps", self.apps),
            ("--transcription", self.transcription),
            ("--diagnosecode", self.diagnosecode),
        ] {
            anyhow::ensure!(
                (1..=INSTANCES_MAX).contains(&count),
                "{what} is {count}: from 1 to {INSTANCES_MAX} fit on one machine"
            );
        }
        anyhow::ensure!(
            self.base_port >= 1024 && self.base_port <= u16::MAX - PORTS,
            "--base-port is {}: it must be from 1024 to {}",
            self.base_port,
            u16::MAX - PORTS
        );
        Ok(())
    }
}

/// Where a cluster keeps everything, if nothing is said.
#[must_use]
pub fn state_in(data: &Path) -> PathBuf {
    data.join("cluster")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn nobody_listens_where_somebody_else_does() {
        let plan = Plan {
            state: "/x".into(),
            base_port: 7400,
            apps: INSTANCES_MAX,
            transcription: INSTANCES_MAX,
            diagnosecode: INSTANCES_MAX,
            workers: true,
            scaler: true,
            redis: true,
            prometheus: true,
            backups: true,
            database_megabytes: 512,
        };
        let all = plan.addresses();
        let different: HashSet<_> = all.iter().map(|(_, address)| address).collect();
        assert_eq!(all.len(), different.len());
        assert!(
            all.iter()
                .all(|(_, it)| (7400..7400 + PORTS).contains(&it.port()))
        );
    }
}
