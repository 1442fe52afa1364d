//! The schema, brought up to date by its owner while services work. Numbered SQL: what a later version needs is added first
//! ("expand"); what an earlier one used is taken away only when no process of it is left ("contract").

use std::{sync::OnceLock, time::Duration};

use refinery::{Migration, Runner, embed_migrations};
use tokio_postgres::{Client, Config, error::SqlState};

use super::{Error, Result, keys, pool};
use crate::cipher::MasterKeys;

embed_migrations!("migrations");

/// Held by whoever changes the schema of a database: "hysio" in ASCII.
pub(super) const LOCK: i64 = 0x68_79_73_69_6f;
/// A statement that waits for its lock makes everybody behind it wait too, so it gives up soon and tries again.
const LOCK_TIMEOUT: &str = "SET lock_timeout = '1s'";
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// How long a lock is tried for: longer than any transaction of Hysio's own.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long processes of an earlier version get to end, if nothing is said: a killed one counts for half a minute.
pub const WAIT_FOR_EARLIER: Duration = Duration::from_secs(35);
/// Begins the name of a migration that takes something away.
const CONTRACT: &str = "contract";

/// What a migration run did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Migrated {
    /// Names, in order.
    pub applied: Vec<String>,
    pub waits: Option<Waits>,
}

/// A contracting migration that processes of an earlier version hold up. Nothing of it was applied.
#[derive(Debug, PartialEq, Eq)]
pub struct Waits {
    pub migration: String,
    /// Which processes, in words.
    pub why: String,
}

/// Connects as the schema's owner.
pub async fn connect(config: &Config) -> Result<Client> {
    let (client, connection) = config
        .connect(pool::tls(config)?)
        .await
        .map_err(|error| Error::Unavailable(Box::new(error)))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::warn!(%error, "the owner's database connection ended");
        }
    });
    Ok(client)
}

/// Applies what is missing, one migrator at a time, and founds the keys of a new database.
///
/// # Errors
/// When a migration fails; those before it stay. When a lock cannot be had for two minutes.
pub async fn migrate(client: &mut Client, master: &MasterKeys) -> Result<Migrated> {
    migrate_waiting(client, master, WAIT_FOR_EARLIER).await
}

/// The same, with another time for processes of an earlier version to end.
///
/// # Errors
/// The same.
pub async fn migrate_waiting(
    client: &mut Client,
    master: &MasterKeys,
    wait: Duration,
) -> Result<Migrated> {
    client
        .execute("SELECT pg_advisory_lock($1)", &[&LOCK])
        .await?;
    let migrated = apply(client, wait).await;
    let founded = match &migrated {
        Ok(_) => keys::found(master, client).await,
        Err(_) => Ok(()),
    };
    client.batch_execute("RESET lock_timeout").await?;
    client
        .execute("SELECT pg_advisory_unlock($1)", &[&LOCK])
        .await?;
    founded?;
    migrated
}

async fn apply(client: &mut Client, wait: Duration) -> Result<Migrated> {
    client.batch_execute(LOCK_TIMEOUT).await?;
    let begun = tokio::time::Instant::now();
    let mut migrated = Migrated::default();
    loop {
        let error = match runner().run_async(client).await {
            Ok(report) => {
                migrated.note(report.applied_migrations());
                return Ok(migrated);
            }
            Err(error) => error,
        };
        if let Some(report) = error.report() {
            migrated.note(report.applied_migrations());
        }
        let (code, said) = reason(&error);
        let elapsed = begun.elapsed();
        if code == Some(SqlState::OBJECT_IN_USE) && elapsed >= wait {
            migrated.waits = next(client).await?.map(|migration| Waits {
                migration,
                why: said,
            });
            return Ok(migrated);
        }
        let passing = [SqlState::OBJECT_IN_USE, SqlState::LOCK_NOT_AVAILABLE];
        if elapsed >= PATIENCE || !code.is_some_and(|code| passing.contains(&code)) {
            return Err(error.into());
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

impl Migrated {
    fn note(&mut self, applied: &[Migration]) {
        self.applied.extend(applied.iter().map(ToString::to_string));
    }
}

/// What the server said.
fn reason(error: &refinery::Error) -> (Option<SqlState>, String) {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        let said = error.downcast_ref::<tokio_postgres::Error>();
        if let Some(db) = said.and_then(tokio_postgres::Error::as_db_error) {
            return (Some(db.code().clone()), db.message().to_owned());
        }
        source = error.source();
    }
    (None, error.to_string())
}

/// The first migration that is not applied.
async fn next(client: &Client) -> Result<Option<String>> {
    let found = version_of(client).await?;
    let all = runner();
    let mut missing: Vec<_> = all
        .get_migrations()
        .iter()
        .filter(|it| i64::from(it.version()) > found)
        .collect();
    missing.sort_by_key(|it| it.version());
    Ok(missing.first().map(ToString::to_string))
}

static LATER: OnceLock<Vec<(&str, &str)>> = OnceLock::new();

/// Makes this program one of a later version, whose schema goes on by these (name, SQL): how an upgrade is tested before there is one.
pub fn go_on_with(migrations: Vec<(&'static str, &'static str)>) {
    // A second call would be another version.
    let _ = LATER.set(migrations);
}

fn runner() -> Runner {
    let embedded = migrations::runner();
    let mut all = embedded.get_migrations().clone();
    for (name, sql) in LATER.get().into_iter().flatten() {
        all.push(Migration::unapplied(name, sql).expect("a name of a migration"));
    }
    // A later version may have been here: whether this program still works with its schema is another question.
    Runner::new(&all).set_abort_missing(false)
}

/// The version of the schema that this binary was built for.
#[must_use]
pub fn version() -> i32 {
    newest(|_| true)
}

/// The version without which this binary does not work. What it takes away may still be there.
#[must_use]
pub fn needed() -> i32 {
    newest(|migration| !migration.name().starts_with(CONTRACT))
}

fn newest(of: impl Fn(&Migration) -> bool) -> i32 {
    let all = runner();
    let of = all.get_migrations().iter().filter(|it| of(it));
    of.map(Migration::version).max().unwrap_or(0)
}

/// Refuses a schema that this binary does not work with, and says which it is.
pub async fn check_version(client: &Client) -> Result<()> {
    let found = version_of(client).await.map_err(|_| {
        Error::Settings("the database has no schema yet: run `hysio migrate`".into())
    })?;
    let needed = needed();
    if found < i64::from(needed) {
        return Err(Error::Settings(format!(
            "the database's schema is version {found} and this hysio needs {needed}: run `hysio migrate`"
        )));
    }
    let oldest: i32 = client
        .query_one("SELECT oldest FROM schema_support", &[])
        .await?
        .get(0);
    must_be_supported(oldest)
}

/// `oldest` is the earliest program, by its schema's version, that the database's schema still works for.
pub(super) fn must_be_supported(oldest: i32) -> Result<()> {
    let known = version();
    if known >= oldest {
        return Ok(());
    }
    Err(Error::Settings(format!(
        "this hysio was built for version {known} of the schema, and the database has gone on without what is older than {oldest}: run a newer hysio"
    )))
}

async fn version_of(client: &Client) -> Result<i64> {
    Ok(client
        .query_one(
            "SELECT coalesce(max(version), 0)::bigint FROM refinery_schema_history",
            &[],
        )
        .await?
        .get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_away_says_so_in_its_name_and_asks_first() {
        for migration in runner().get_migrations() {
            let sql = migration.sql().unwrap_or_default();
            let first = sql
                .lines()
                .find(|line| !line.trim().is_empty() && !line.starts_with("--"));
            let asks = first.is_some_and(|line| line.starts_with("SELECT contract("));
            assert_eq!(
                asks,
                migration.name().starts_with(CONTRACT),
                "{migration}: a migration that begins with SELECT contract(…) is named contract_…"
            );
        }
    }
}
