//! PgBouncer as a target of scaling: its pool has the size that the database's target says.
//!
//! `pools.ini` is written for its next start, SET makes it count now, and only what PgBouncer then says of itself is reported. A
//! smaller pool cuts nobody off: PgBouncer itself closes what is too many as it becomes idle. RELOAD and RECONNECT would close the
//! connections that are just being made as well, which PgBouncer takes for a server that refuses, and turns away everybody who waits.

use std::{fmt::Write as _, fs, path::Path, time::Duration};

use anyhow::Context as _;
use hysio_infra::postgres::{
    self, Database,
    notify::Call,
    scaling::{
        instances::{Beat, Identity},
        targets::Target,
    },
};
use hysio_scaling::Resource;
use tokio::sync::broadcast;
use tokio_postgres::{Client, SimpleQueryMessage};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config::PgBouncer;

const LOOK_EVERY: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(5);

/// Keeps the pool as it is to be, until `stop`.
pub async fn keep(
    settings: PgBouncer,
    db: Database,
    mut calls: broadcast::Receiver<Call>,
    stop: CancellationToken,
) {
    let id = Uuid::now_v7();
    let mut applied = None;
    while !stop.is_cancelled() {
        match tokio::time::timeout(TIMEOUT, look(&settings, &db, id, applied)).await {
            Ok(Ok(now)) => applied = Some(now),
            Ok(Err(error)) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "PgBouncer's pool could not be set"
                );
                // A PgBouncer that was started again has read its file, but that is to be seen.
                applied = None;
            }
            Err(_) => applied = None,
        }
        tokio::select! {
            () = stop.cancelled() => {}
            _ = calls.recv() => tokio::time::sleep(Duration::from_millis(20)).await,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
    if let Err(error) = db.leave(id).await {
        tracing::debug!(
            error = crate::telemetry::chain(&error),
            "leaving was not noted; it will be seen"
        );
    }
}

/// Applies the target if it is new, and says which one holds.
async fn look(
    settings: &PgBouncer,
    db: &Database,
    id: Uuid,
    applied: Option<(i32, i64)>,
) -> anyhow::Result<(i32, i64)> {
    let targets = db.targets().await?;
    let Some(Target {
        desired,
        generation,
        ..
    }) = targets
        .into_iter()
        .find(|target| target.resource == Resource::DbConnections)
    else {
        anyhow::bail!("{} is not a target yet", Resource::DbConnections);
    };
    if applied != Some((desired, generation)) {
        apply(settings, desired).await?;
        tracing::info!(connections = desired, "PgBouncer's pool was set");
    }
    let identity = Identity {
        id,
        service: "pgbouncer",
        resource: Some(Resource::DbConnections.as_str().to_owned()),
        host: crate::worker::hostname(),
        pid: std::process::id(),
        address: None,
    };
    let check = db.self_check().await;
    let beat = Beat {
        ready: check.passed(),
        pool_size: Some(desired),
        pool_generation: Some(generation),
        check,
        ..Beat::default()
    };
    db.beat(&identity, &beat).await?;
    Ok((desired, generation))
}

/// Sets the pool, and makes sure that PgBouncer says so too.
///
/// # Errors
/// When its folder cannot be written, or it does not answer or says otherwise.
pub async fn apply(settings: &PgBouncer, connections: i32) -> anyhow::Result<()> {
    write(
        &settings.directory.join("pools.ini"),
        &pools_ini(connections),
    )?;
    let admin = connect(settings).await?;
    for (name, value) in pools(connections) {
        admin
            .simple_query(&format!("SET {name} = '{value}'"))
            .await?;
    }
    let now = setting(&admin, "max_db_connections").await?;
    anyhow::ensure!(
        now == i64::from(connections),
        "PgBouncer has max_db_connections {now} and not {connections}, which it was told"
    );
    Ok(())
}

/// Points the databases at another primary and other replicas. Whoever is in a transaction on the former one is cut off.
///
/// # Errors
/// As [`apply`].
pub async fn point(
    settings: &PgBouncer,
    primary: &str,
    replicas: &[String],
    port: u16,
) -> anyhow::Result<()> {
    write(
        &settings.directory.join("databases.ini"),
        &databases_ini(primary, replicas, port),
    )?;
    let admin = connect(settings).await?;
    admin.simple_query("RELOAD").await?;
    admin.simple_query("RECONNECT").await?;
    Ok(())
}

/// Its administration console.
///
/// # Errors
/// When it does not answer.
pub async fn connect(settings: &PgBouncer) -> anyhow::Result<Client> {
    let mut config: tokio_postgres::Config = settings
        .admin_url
        .expose()
        .parse()
        .map_err(|_| anyhow::anyhow!("pgbouncer.admin_url is no PostgreSQL address"))?;
    config.connect_timeout(TIMEOUT);
    let (client, connection) = config
        .connect(postgres::tls(&config)?)
        .await
        .context("PgBouncer's console does not answer")?;
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(client)
}

async fn setting(admin: &Client, name: &str) -> anyhow::Result<i64> {
    let rows = admin.simple_query("SHOW CONFIG").await?;
    let found = rows.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) if row.get("key") == Some(name) => row.get("value"),
        _ => None,
    });
    let value = found.with_context(|| format!("PgBouncer does not tell its {name}"))?;
    value
        .parse()
        .with_context(|| format!("PgBouncer's {name} is {value:?}"))
}

/// `connections` to one database in all. The last twentieth is for callers who have waited long.
fn pools(connections: i32) -> [(&'static str, i32); 3] {
    let reserve = (connections / 20).max(1);
    [
        ("default_pool_size", (connections - reserve).max(1)),
        ("reserve_pool_size", reserve),
        ("max_db_connections", connections),
    ]
}

/// What holds after a restart too.
fn pools_ini(connections: i32) -> String {
    let mut text = String::from(
        "; Written by `hysio scale db_connections`. Also fine to edit by hand, followed by RELOAD.\n",
    );
    for (name, value) in pools(connections) {
        // Writing to a string never fails.
        let _ = writeln!(text, "{name} = {value}");
    }
    text
}

/// Without a replica left, reads go to the primary.
#[must_use]
pub fn databases_ini(primary: &str, replicas: &[String], port: u16) -> String {
    let mut text = String::from(
        "; Where the primary and the replicas are. `hysio emergency failover` writes it anew, followed by RELOAD.\n[databases]\n",
    );
    let readable = if replicas.is_empty() {
        primary.to_owned()
    } else {
        replicas.join(",")
    };
    // Writing to a string never fails.
    let _ = writeln!(text, "hysio = host={primary} port={port} dbname=hysio");
    let _ = writeln!(
        text,
        "hysio_readonly = host={readable} port={port} dbname=hysio"
    );
    text
}

/// In one step: PgBouncer may read it at any time.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, text).with_context(|| format!("{} cannot be written", new.display()))?;
    if let Ok(old) = fs::metadata(path) {
        use std::os::unix::fs::{MetadataExt as _, chown};
        // Its owner reads it; who is not allowed to give it away owns it already.
        let _ = chown(&new, Some(old.uid()), Some(old.gid()));
    }
    fs::rename(&new, path).with_context(|| format!("{} cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_of_any_size_has_a_connection_and_adds_up() {
        for connections in [1, 2, 20, 100, 200] {
            let [(_, pool), (_, reserve), (_, most)] = pools(connections);
            assert!(pool >= 1);
            assert_eq!(most, connections);
            assert!(pool + reserve <= connections.max(2));
        }
    }

    /// Otherwise a new installation would begin with another pool than the scaler says.
    #[test]
    fn the_file_that_is_shipped_is_what_the_scaler_begins_with() {
        let shipped = include_str!("../../../deploy/pgbouncer/pools.ini");
        let pool = crate::config::Config::default().database.pool_size;
        let at_first = i32::try_from(4 * pool).expect("a small number");
        assert_eq!(shipped, pools_ini(at_first));
    }

    #[test]
    fn without_replicas_reads_go_to_the_primary() {
        let text = databases_ini("db2", &[], 5432);
        assert!(
            text.contains("hysio_readonly = host=db2 port=5432"),
            "{text}"
        );
    }
}
