//! The audit trail's rows: written with what they record, put in order afterwards (see [`crate::audit`]).

use std::time::Duration;

use hysio_model::{
    audit::{AuditEvent, Outcome},
    id::FacilityId,
};
use jiff::Timestamp;
use postgres_types::ToSql;
use serde_json::Value;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use super::{Connection, Database, Error, Result};
use crate::audit::{
    Entry, Hash, Leaf, Log, Report, SigningKeys, StoredCheckpoint, Verifier, VerifyingKeys,
};

pub(super) const INSERT: &str = "INSERT INTO audit_entries (id, at, facility_id, actor, action, resource, resource_id, outcome, details)
     SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::jsonb[])";

/// Entries as columns, so that any number of them is one statement.
#[derive(Default)]
pub(super) struct Columns<'a> {
    ids: Vec<Uuid>,
    ats: Vec<Timestamp>,
    facilities: Vec<Option<i32>>,
    actors: Vec<&'a str>,
    actions: Vec<&'a str>,
    resources: Vec<&'a str>,
    resource_ids: Vec<&'a str>,
    outcomes: Vec<&'static str>,
    details: Vec<&'a Value>,
}

impl<'a> From<&'a [AuditEvent]> for Columns<'a> {
    fn from(events: &'a [AuditEvent]) -> Self {
        let mut columns = Self::default();
        for event in events {
            columns.ids.push(event.id);
            columns.ats.push(event.at);
            columns.facilities.push(event.facility.map(|id| id.0));
            columns.actors.push(&event.actor);
            columns.actions.push(&event.action);
            columns.resources.push(&event.resource);
            columns.resource_ids.push(&event.resource_id);
            columns.outcomes.push(event.outcome.as_str());
            columns.details.push(&event.details);
        }
        columns
    }
}

impl Columns<'_> {
    pub(super) fn params(&self) -> [&(dyn ToSql + Sync); 9] {
        [
            &self.ids,
            &self.ats,
            &self.facilities,
            &self.actors,
            &self.actions,
            &self.resources,
            &self.resource_ids,
            &self.outcomes,
            &self.details,
        ]
    }
}

/// Entries that get their places in one transaction.
const BATCH: i64 = 5_000;
/// Rows read at once when the whole trail is read.
const PAGE: i64 = 5_000;
/// One sequencer at a time, whatever the number of instances: "audit" in ASCII.
const SEQUENCER_LOCK: i64 = 0x61_75_64_69_74;
/// An entry that has waited longer than this for its place is suspicious.
const WAITING_BOUND: Duration = Duration::from_secs(60);

const COLUMNS: &str = "id, at, facility_id, actor, action, resource, resource_id, outcome, details, leaf_index, leaf_hash";

impl Database {
    /// Gives the entries that have none their places in the log, and signs what it then is. Returns how many there were;
    /// 0 also when another instance is at it.
    pub async fn sequence_audit(&self, keys: &SigningKeys) -> Result<usize> {
        let tx = self.platform_tx().await?;
        let mine: bool = tx
            .query_one("SELECT pg_try_advisory_xact_lock($1)", &[&SEQUENCER_LOCK])
            .await?
            .get(0);
        if !mine {
            return Ok(0);
        }
        let sql = format!(
            "SELECT {COLUMNS} FROM audit_entries WHERE leaf_index IS NULL ORDER BY recorded_at, id LIMIT $1"
        );
        let waiting = tx.query(&sql, &[&BATCH]).await?;
        if waiting.is_empty() {
            return Ok(0);
        }
        let last = tx
            .query_opt(
                "SELECT size, note, frontier FROM audit_checkpoints ORDER BY size DESC LIMIT 1",
                &[],
            )
            .await?;
        let last = last.map(|row| checkpoint(&row)).transpose()?;
        let mut log = Log::resume(last.as_ref(), keys).map_err(|error| {
            Error::Settings(format!("the audit trail cannot be continued: {error}"))
        })?;
        let (mut ids, mut indexes, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
        for row in &waiting {
            let event = event(row)?;
            let leaf = log.append(&event);
            ids.push(event.id);
            indexes.push(index(leaf.index));
            hashes.push(leaf.hash.0.to_vec());
        }
        let placed = "UPDATE audit_entries e SET leaf_index = p.index, leaf_hash = p.hash
             FROM unnest($1::uuid[], $2::bigint[], $3::bytea[]) AS p (id, index, hash) WHERE e.id = p.id";
        tx.execute(placed, &[&ids, &indexes, &hashes]).await?;
        let signed = log.sign(keys, Timestamp::now());
        let insert = "INSERT INTO audit_checkpoints (size, note, frontier) VALUES ($1, $2, $3)";
        tx.execute(
            insert,
            &[&index(signed.size), &signed.note, &signed.frontier],
        )
        .await?;
        tx.commit(&[]).await?;
        Ok(waiting.len())
    }

    /// The newest entries before `before` (an index), newest first, and those that still wait for their place.
    pub async fn audit_page(&self, before: Option<u64>, limit: i64) -> Result<Vec<Entry>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM audit_entries WHERE ($1::bigint IS NULL OR leaf_index < $1)
             ORDER BY leaf_index DESC NULLS FIRST, recorded_at DESC LIMIT $2"
        );
        let rows = self
            .client()
            .await?
            .query(&sql, &[&before.map(index), &limit])
            .await?;
        rows.iter().map(entry).collect()
    }

    /// Proves the whole trail as it is stored.
    pub async fn verify_audit(&self, keys: &VerifyingKeys) -> Result<Report> {
        verify(self.client().await?.direct(), Verifier::new(keys)).await
    }
}

/// Feeds the whole trail to a verifier.
pub async fn verify(client: &Client, verifier: Verifier<'_>) -> Result<Report> {
    verify_from(client, verifier, 0).await
}

/// Feeds what came after the first `size` entries to a verifier that knows those.
pub async fn verify_from(client: &Client, verifier: Verifier<'_>, size: u64) -> Result<Report> {
    let mut verifier = verifier.with_waiting_bound(Timestamp::now(), WAITING_BOUND);
    read_trail_from(client, size, |item| {
        match item {
            Item::Entry(entry) => verifier.entry(&entry),
            Item::Checkpoint(checkpoint) => verifier.checkpoint(&checkpoint),
        }
        Ok::<_, Error>(())
    })
    .await?;
    Ok(verifier.finish())
}

/// Reads the whole trail in its order, each checkpoint after the entries it covers, page by page, in one snapshot.
pub async fn read_trail<E: From<Error> + Send>(
    client: &Client,
    each: impl FnMut(Item) -> std::result::Result<(), E> + Send,
) -> std::result::Result<(), E> {
    read_trail_from(client, 0, each).await
}

/// The same without the first `size` entries and their checkpoints.
async fn read_trail_from<E: From<Error> + Send>(
    client: &Client,
    size: u64,
    mut each: impl FnMut(Item) -> std::result::Result<(), E> + Send,
) -> std::result::Result<(), E> {
    client
        .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await
        .map_err(Error::from)?;
    let read = read(client, size, &mut each).await;
    client.batch_execute("COMMIT").await.map_err(Error::from)?;
    read
}

/// The checkpoint of a size; the newest, if none is said.
pub async fn stored_checkpoint(
    client: &Connection,
    size: Option<u64>,
) -> Result<Option<StoredCheckpoint>> {
    let sql = "SELECT size, note, frontier FROM audit_checkpoints WHERE $1::bigint IS NULL OR size = $1 ORDER BY size DESC LIMIT 1";
    let row = client.query_opt(sql, &[&size.map(index)]).await?;
    row.as_ref().map(checkpoint).transpose()
}

/// What a trail consists of.
pub enum Item {
    Entry(Entry),
    Checkpoint(StoredCheckpoint),
}

async fn read<E: From<Error>>(
    client: &Client,
    size: u64,
    each: &mut (impl FnMut(Item) -> std::result::Result<(), E> + Send),
) -> std::result::Result<(), E> {
    let rows = client
        .query(
            "SELECT size, note, frontier FROM audit_checkpoints WHERE size > $1 ORDER BY size",
            &[&index(size)],
        )
        .await
        .map_err(Error::from)?;
    let mut checkpoints = rows
        .iter()
        .map(checkpoint)
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .peekable();
    let sql = format!(
        "SELECT {COLUMNS} FROM audit_entries WHERE leaf_index > $1 ORDER BY leaf_index LIMIT $2"
    );
    let mut last = index(size) - 1;
    loop {
        let rows = client
            .query(&sql, &[&last, &PAGE])
            .await
            .map_err(Error::from)?;
        for row in &rows {
            last = row.get("leaf_index");
            while let Some(due) = checkpoints.next_if(|checkpoint| index(checkpoint.size) <= last) {
                each(Item::Checkpoint(due))?;
            }
            each(Item::Entry(entry(row)?))?;
        }
        if rows.is_empty() {
            break;
        }
    }
    for due in checkpoints {
        each(Item::Checkpoint(due))?;
    }
    let waiting = format!(
        "SELECT {COLUMNS} FROM audit_entries WHERE leaf_index IS NULL ORDER BY recorded_at"
    );
    for row in &client.query(&waiting, &[]).await.map_err(Error::from)? {
        each(Item::Entry(entry(row)?))?;
    }
    Ok(())
}

fn index(index: u64) -> i64 {
    i64::try_from(index).expect("a log has far fewer than 2^63 entries")
}

fn checkpoint(row: &Row) -> Result<StoredCheckpoint> {
    let size: i64 = row.get("size");
    let size =
        u64::try_from(size).map_err(|_| Error::corrupt("audit_checkpoints", "size", size))?;
    Ok(StoredCheckpoint {
        size,
        note: row.get("note"),
        frontier: row.get("frontier"),
    })
}

fn entry(row: &Row) -> Result<Entry> {
    let id: Uuid = row.get("id");
    let leaf = match (
        row.get::<_, Option<i64>>("leaf_index"),
        row.get::<_, Option<Vec<u8>>>("leaf_hash"),
    ) {
        (Some(index), Some(hash)) => {
            let corrupt = |column| Error::corrupt("audit_entries", column, id);
            Some(Leaf {
                index: u64::try_from(index).map_err(|_| corrupt("leaf_index"))?,
                hash: Hash(hash.try_into().map_err(|_| corrupt("leaf_hash"))?),
            })
        }
        _ => None,
    };
    Ok(Entry {
        event: event(row)?,
        leaf,
    })
}

fn event(row: &Row) -> Result<AuditEvent> {
    let id: Uuid = row.get("id");
    let outcome = match row.get("outcome") {
        "success" => Outcome::Success,
        "refused" => Outcome::Refused,
        "failure" => Outcome::Failure,
        _ => return Err(Error::corrupt("audit_entries", "outcome", id)),
    };
    Ok(AuditEvent {
        id,
        at: row.get("at"),
        facility: row.get::<_, Option<i32>>("facility_id").map(FacilityId),
        actor: row.get("actor"),
        action: row.get("action"),
        resource: row.get("resource"),
        resource_id: row.get("resource_id"),
        outcome,
        details: row.get("details"),
    })
}
