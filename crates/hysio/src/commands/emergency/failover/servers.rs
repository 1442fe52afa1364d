//! What is asked of the servers, and done to them.

use std::time::Duration;

use anyhow::Context as _;
use futures::future::join_all;
use hysio_infra::postgres;
use postgres_types::PgLsn;
use tokio_postgres::Client;

use super::choice::{Seen, Standing};
use crate::config::{DatabaseNode, Failover};

const LOOK_EVERY: Duration = Duration::from_millis(50);
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
const CUT_OFF_WITHIN: Duration = Duration::from_secs(90);
const REPLAY_WITHIN: Duration = Duration::from_secs(60);

pub struct Servers<'a>(&'a Failover);

impl<'a> Servers<'a> {
    pub fn new(settings: &'a Failover) -> Self {
        Self(settings)
    }

    fn node(&self, name: &str) -> anyhow::Result<&DatabaseNode> {
        let node = self.0.nodes.iter().find(|node| node.name == name);
        node.with_context(|| format!("failover.nodes has no {name}"))
    }

    pub fn host(&self, name: &str) -> anyhow::Result<String> {
        Ok(self.node(name)?.host.clone())
    }

    pub async fn look(&self) -> Vec<Seen> {
        join_all(self.0.nodes.iter().map(async |node| {
            let looked = tokio::time::timeout(ANSWER_WITHIN, standing(node)).await;
            Seen {
                name: node.name.clone(),
                standing: looked.ok().and_then(Result::ok),
            }
        }))
        .await
    }

    /// Runs the fences, and goes on when nobody behind them answers any more.
    pub async fn fence(&self, names: &[String]) -> anyhow::Result<()> {
        for name in names {
            let node = self.node(name)?;
            command(&node.fence)
                .await
                .with_context(|| format!("{name} could not be cut off"))?;
            let silent = async {
                while answers(node).await {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            };
            tokio::time::timeout(CUT_OFF_WITHIN, silent)
                .await
                .with_context(|| {
                    format!("{name} still answers after it was cut off: nothing was promoted")
                })?;
        }
        Ok(())
    }

    /// Until a replica has replayed all that it has received.
    pub async fn replay(&self, name: &str) -> anyhow::Result<()> {
        let client = connect(self.node(name)?).await?;
        let sql = "SELECT pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn()";
        let replayed = async {
            while !client.query_one(sql, &[]).await?.get::<_, bool>(0) {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(REPLAY_WITHIN, replayed)
            .await
            .context("it takes too long")?
    }

    /// Makes a replica the primary, with a slot for each of the others.
    pub async fn promote(&self, name: &str) -> anyhow::Result<()> {
        let client = connect(self.node(name)?).await?;
        let promoted: bool = client
            .query_one("SELECT pg_promote(true, 60)", &[])
            .await?
            .get(0);
        anyhow::ensure!(
            promoted,
            "{name} did not become the primary within a minute"
        );
        for other in self.0.nodes.iter().filter(|node| node.name != name) {
            let sql = "SELECT pg_create_physical_replication_slot($1) WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1)";
            client.query(sql, &[&other.name]).await?;
        }
        Ok(())
    }

    /// The host of the primary, and those of all others.
    pub fn all_with(&self, primary: &str) -> anyhow::Result<(String, Vec<String>)> {
        let others = self.0.nodes.iter().filter(|node| node.name != primary);
        Ok((
            self.host(primary)?,
            others.map(|node| node.host.clone()).collect(),
        ))
    }

    /// Brings servers back as replicas, where there is a way to. Returns whether all are back.
    pub async fn rejoin(&self, names: &[String]) -> anyhow::Result<bool> {
        let mut all = true;
        for name in names {
            let node = self.node(name)?;
            if node.rejoin.is_empty() {
                all = false;
            } else {
                command(&node.rejoin).await.with_context(|| {
                    format!("{name} did not come back as a replica; all else is done: bring it back by hand")
                })?;
            }
        }
        Ok(all)
    }
}

async fn standing(node: &DatabaseNode) -> anyhow::Result<Standing> {
    let client = connect(node).await?;
    let sql = "SELECT pg_is_in_recovery(), CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
                   ELSE pg_current_wal_flush_lsn() END, coalesce((SELECT status = 'streaming' FROM pg_stat_wal_receiver), false)";
    let row = client.query_one(sql, &[]).await?;
    Ok(Standing {
        is_replica: row.get(0),
        received: row.get::<_, PgLsn>(1).into(),
        follows: row.get(2),
    })
}

async fn answers(node: &DatabaseNode) -> bool {
    let asked = tokio::time::timeout(ANSWER_WITHIN, standing(node)).await;
    asked.is_ok_and(|standing| standing.is_ok())
}

async fn connect(node: &DatabaseNode) -> anyhow::Result<Client> {
    // The parser's message can quote the address, and with it a password.
    let config: tokio_postgres::Config = node
        .url
        .expose()
        .parse()
        .map_err(|_| anyhow::anyhow!("the url of {} is no PostgreSQL address", node.name))?;
    let (client, connection) = config
        .connect(postgres::tls(&config)?)
        .await
        .with_context(|| format!("{} does not answer", node.name))?;
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(client)
}

async fn command(words: &[String]) -> anyhow::Result<()> {
    let (program, arguments) = words
        .split_first()
        .context("no program is configured for it")?;
    let output = tokio::process::Command::new(program)
        .args(arguments)
        .output()
        .await?;
    anyhow::ensure!(
        output.status.success(),
        "{program} failed ({}): {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
