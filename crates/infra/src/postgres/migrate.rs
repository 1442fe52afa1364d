//! The schema, brought up to date by its owner. Numbered SQL, expand first and contract in a later release.

use refinery::embed_migrations;
use tokio_postgres::{Client, Config};

use super::{Error, Result, keys, pool};
use crate::cipher::MasterKeys;

embed_migrations!("migrations");

/// Holds off a second migration of the same database: "hysio" in ASCII.
const MIGRATION_LOCK: i64 = 0x68_79_73_69_6f;

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

/// Applies what is missing, one migrator at a time, and founds the keys of a new database. Returns the names of what was
/// applied.
pub async fn migrate(client: &mut Client, master: &MasterKeys) -> Result<Vec<String>> {
    client
        .execute("SELECT pg_advisory_lock($1)", &[&MIGRATION_LOCK])
        .await?;
    let report = migrations::runner().run_async(client).await;
    let founded = match &report {
        Ok(_) => keys::found(master, client).await,
        Err(_) => Ok(()),
    };
    client
        .execute("SELECT pg_advisory_unlock($1)", &[&MIGRATION_LOCK])
        .await?;
    founded?;
    Ok(report?
        .applied_migrations()
        .iter()
        .map(ToString::to_string)
        .collect())
}

/// The version of the schema that this binary was built for.
#[must_use]
pub fn version() -> i32 {
    migrations::runner()
        .get_migrations()
        .iter()
        .map(refinery::Migration::version)
        .max()
        .unwrap_or(0)
}

/// Refuses a schema that is not the one this binary was built for, older or newer, and says which it is.
pub async fn check_version(client: &Client) -> Result<()> {
    let known = version();
    let found = client
        .query_one(
            "SELECT coalesce(max(version), 0)::bigint FROM refinery_schema_history",
            &[],
        )
        .await
        .map_err(|_| Error::Settings("the database has no schema yet: run `hysio migrate`".into()))?
        .get::<_, i64>(0);
    if i64::from(known) == found {
        return Ok(());
    }
    let way_out = if i64::from(known) > found {
        "run `hysio migrate`"
    } else {
        "run a newer hysio"
    };
    Err(Error::Settings(format!(
        "the database's schema is version {found} and this hysio needs {known}: {way_out}"
    )))
}
