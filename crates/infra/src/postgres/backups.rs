//! What the database knows of backups: written by its owner, read by whoever must know whether a fresh one exists.

use hysio_model::audit::Outcome;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_postgres::{Client, GenericClient};
use uuid::Uuid;

use super::{Database, Result, audit, stages};

/// The newest backup that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backup {
    pub taken_at: Timestamp,
    /// When every byte of it was last proven to be as it was.
    pub verified_at: Option<Timestamp>,
    pub bytes: u64,
}

/// A backup to be noted.
#[derive(Clone, Debug)]
pub struct NewBackup {
    pub id: Uuid,
    pub taken_at: Timestamp,
    pub bytes: u64,
    pub files: usize,
    /// Where the log ends that belongs to it, such as `0/2000120`; None for one of another server.
    pub wal_until: Option<String>,
    /// Where it lies.
    pub path: String,
}

impl Database {
    /// The newest backup by when it was taken, whether of Hysio's own making or recorded for an external database.
    pub async fn newest_backup(&self) -> Result<Option<Backup>> {
        let sql = "SELECT taken_at, verified_at, bytes FROM backups ORDER BY taken_at DESC, id DESC LIMIT 1";
        let row = self.client().await?.query_opt(sql, &[]).await?;
        Ok(row.map(|row| Backup {
            taken_at: row.get(0),
            verified_at: row.get(1),
            bytes: row.get::<_, i64>(2).unsigned_abs(),
        }))
    }
}

/// A backup that was noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    pub id: Uuid,
    pub taken_at: Timestamp,
    pub bytes: u64,
    pub path: String,
}

/// Those that were noted, newest first.
pub async fn noted(client: &Client) -> Result<Vec<Noted>> {
    let sql = "SELECT id, taken_at, bytes, path FROM backups ORDER BY taken_at DESC, id DESC";
    let rows = client.query(sql, &[]).await?;
    Ok(rows
        .iter()
        .map(|row| Noted {
            id: row.get(0),
            taken_at: row.get(1),
            bytes: row.get::<_, i64>(2).unsigned_abs(),
            path: row.get(3),
        })
        .collect())
}

/// Notes a backup that was made, and forgets those that were removed for it.
pub async fn record(client: &mut Client, backup: &NewBackup, removed: &[Uuid]) -> Result<()> {
    let tx = client.transaction().await?;
    tx.execute("DELETE FROM backups WHERE id = ANY ($1)", &[&removed])
        .await?;
    tx.execute(
        "INSERT INTO backups (id, taken_at, bytes, files, wal_until, path) VALUES ($1, $2, $3, $4, $5, $6)",
        &[
            &backup.id,
            &backup.taken_at,
            &saturating(backup.bytes),
            &i32::try_from(backup.files).unwrap_or(i32::MAX),
            &backup.wal_until,
            &backup.path,
        ],
    )
    .await?;
    let details = json!({
        "bytes": backup.bytes,
        "files": backup.files,
        "taken_at": backup.taken_at,
        "removed": removed,
    });
    note(&tx, "backup.create", backup.id, Outcome::Success, details).await?;
    tx.commit().await?;
    Ok(())
}

/// Notes that one could not be made.
pub async fn record_failure(client: &Client, why: &str) -> Result<()> {
    let details = json!({ "why": why });
    note(
        client,
        "backup.create",
        Uuid::now_v7(),
        Outcome::Failure,
        details,
    )
    .await
}

/// Notes what a check found: how many files are not as they were. One that failed is proven no longer.
pub async fn record_verification(
    client: &mut Client,
    id: Uuid,
    files: usize,
    problems: usize,
) -> Result<()> {
    let good = problems == 0;
    let tx = client.transaction().await?;
    tx.execute(
        "UPDATE backups SET verified_at = CASE WHEN $2 THEN now() END WHERE id = $1",
        &[&id, &good],
    )
    .await?;
    let outcome = if good {
        Outcome::Success
    } else {
        Outcome::Failure
    };
    let details = json!({ "files": files, "problems": problems });
    note(&tx, "backup.verify", id, outcome, details).await?;
    tx.commit().await?;
    Ok(())
}

/// What a restored database needs before anybody works in it: nobody is signed in, and the trail says what happened.
pub async fn found_restored(client: &mut Client, id: Uuid, details: Value) -> Result<()> {
    let tx = client.transaction().await?;
    tx.execute("DELETE FROM sessions", &[]).await?;
    note(&tx, "backup.restore", id, Outcome::Success, details).await?;
    tx.commit().await?;
    Ok(())
}

/// Notes, in the database that the backup is of, that it was restored elsewhere.
pub async fn record_restore(client: &Client, id: Uuid, details: Value) -> Result<()> {
    note(client, "backup.restore", id, Outcome::Success, details).await
}

async fn note(
    client: &impl GenericClient,
    action: &str,
    id: Uuid,
    outcome: Outcome,
    details: Value,
) -> Result<()> {
    let mut event = stages::audit(None, "owner", action, ("backup", id.to_string()), details);
    event.outcome = outcome;
    client
        .execute(
            audit::INSERT,
            &audit::Columns::from([event].as_slice()).params(),
        )
        .await?;
    Ok(())
}

fn saturating(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
