//! Scaling transactions and their logs. An event and its audit entries are one database transaction, and the place in the
//! log is its primary key: two executors cannot both write it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use hysio_control::{
    ports::{Appended, Away, Begun, TransactionLog, Wish},
    transaction::{Change, Event, Phase, State, TransactionId, audit_words},
};
use hysio_scaling::Failing;
use jiff::Timestamp;
use postgres_types::Json;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::postgres::{Database, Error, Result, Tx};

/// A transaction as lists show it.
#[derive(Clone, Debug)]
pub struct Summary {
    pub id: TransactionId,
    pub resource: String,
    pub old: i32,
    pub new: i32,
    pub generation: i64,
    pub justification: String,
    pub user: String,
    pub plan: Option<Uuid>,
    pub phase: String,
    pub begun_at: Timestamp,
    pub ended_at: Option<Timestamp>,
}

#[async_trait]
impl TransactionLog for Database {
    async fn begin(&self, wish: &Wish) -> std::result::Result<Begun, Away> {
        Ok(self.begin_scaling(wish).await?)
    }

    async fn append(
        &self,
        change: &Change,
        seq: u32,
        event: &Event,
    ) -> std::result::Result<Appended, Away> {
        match self.append_scaling(change, seq, event).await {
            Ok(()) => Ok(Appended::Written),
            Err(Error::Constraint { constraint }) if constraint == "scaling_events_pkey" => {
                Ok(Appended::Taken)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn read(&self, id: TransactionId) -> std::result::Result<Vec<Event>, Away> {
        Ok(self.scaling_log(id).await?)
    }

    async fn unfinished(&self) -> std::result::Result<Vec<TransactionId>, Away> {
        Ok(self.unfinished_scaling().await?)
    }
}

impl Database {
    async fn begin_scaling(&self, wish: &Wish) -> Result<Begun> {
        let tx = self.platform_tx().await?;
        let resource = wish.resource.as_str();
        // The row is locked, so that two who begin at once do so one after the other.
        let target = tx
            .query_opt(
                "SELECT desired FROM scaling_targets WHERE resource = $1 FOR UPDATE",
                &[&resource],
            )
            .await?
            .ok_or_else(|| Error::Settings(format!("{resource} is not scaled here")))?;
        let old: i32 = target.get(0);
        let live = tx
            .query_opt(
                "SELECT id FROM scaling_transactions WHERE resource = $1 AND ended_at IS NULL",
                &[&resource],
            )
            .await?
            .map(|row| TransactionId(row.get(0)));
        if let Some(live) = live
            && !wish.supersede
        {
            return Ok(Begun::InFlight(live));
        }
        if live.is_none() && old == wish.new {
            return Ok(Begun::AlreadySo);
        }
        let generation: i64 = tx
            .query_one("SELECT nextval('scaling_generation')", &[])
            .await?
            .get(0);
        let mut entries = Vec::new();
        let mut taken_over = None;
        let at = Timestamp::now();
        if let Some(live) = live {
            let by = Event::Superseded { at, by: generation };
            let (change, words) = supersede(&tx, live, &by).await?;
            entries.extend(words);
            taken_over = Some(change);
        }
        let change = wish.change(TransactionId::new(), generation, old, taken_over.as_ref());
        let event = Event::Initiated {
            at,
            change: change.clone(),
        };
        insert_transaction(&tx, &change, at).await?;
        insert_event(&tx, change.id, 0, &event).await?;
        entries.extend(audit_words(&change, &event));
        notify(&tx, change.id).await?;
        tx.commit(&entries).await?;
        Ok(Begun::Yes(change))
    }

    async fn append_scaling(&self, change: &Change, seq: u32, event: &Event) -> Result<()> {
        let tx = self.platform_tx().await?;
        let log = read(&tx, change.id).await?;
        insert_event(&tx, change.id, seq, event).await?;
        let phase = fold(&log)?
            .apply(event)
            .map_err(|_| Error::corrupt("scaling_events", "event", change.id))?
            .phase;
        set_phase(&tx, change.id, phase, event.at()).await?;
        notify(&tx, change.id).await?;
        tx.commit(&audit_words(change, event)).await
    }

    /// The events of one transaction, in their order.
    pub async fn scaling_log(&self, id: TransactionId) -> Result<Vec<Event>> {
        let tx = self.platform_tx().await?;
        let log = read(&tx, id).await?;
        tx.commit(&[]).await?;
        Ok(log)
    }

    async fn unfinished_scaling(&self) -> Result<Vec<TransactionId>> {
        let tx = self.platform_tx().await?;
        let rows = tx
            .query(
                "SELECT id FROM scaling_transactions WHERE ended_at IS NULL ORDER BY begun_at",
                &[],
            )
            .await?;
        tx.commit(&[]).await?;
        Ok(rows.iter().map(|row| TransactionId(row.get(0))).collect())
    }

    /// The scaler's own changes of each resource that failed one after another since one succeeded.
    pub async fn failing(&self) -> Result<BTreeMap<String, Failing>> {
        let tx = self.platform_tx().await?;
        let rows = tx
            .query(
                "SELECT t.resource, count(*), max(t.ended_at) FROM scaling_transactions t
                 WHERE t.phase IN ('failed', 'rolled_back') AND t.plan_id IS NOT NULL
                   AND t.begun_at > coalesce((SELECT max(s.begun_at) FROM scaling_transactions s
                                              WHERE s.resource = t.resource AND s.phase = 'completed'), '-infinity')
                 GROUP BY t.resource",
                &[],
            )
            .await?;
        tx.commit(&[]).await?;
        Ok(rows
            .iter()
            .map(|row| {
                let changes = u32::try_from(row.get::<_, i64>(1)).unwrap_or(u32::MAX);
                let at = row.get(2);
                (row.get(0), Failing { changes, at })
            })
            .collect())
    }

    /// The newest transactions, newest first.
    pub async fn scaling_transactions(&self, limit: i64) -> Result<Vec<Summary>> {
        self.summaries(None, limit).await
    }

    pub async fn scaling_transaction(&self, id: TransactionId) -> Result<Option<Summary>> {
        Ok(self.summaries(Some(id), 1).await?.pop())
    }

    async fn summaries(&self, id: Option<TransactionId>, limit: i64) -> Result<Vec<Summary>> {
        let tx = self.platform_tx().await?;
        let rows = tx
            .query(
                "SELECT id, resource, old_count, new_count, generation, justification, actor, plan_id, phase, begun_at, ended_at
                 FROM scaling_transactions WHERE $1::uuid IS NULL OR id = $1 ORDER BY begun_at DESC LIMIT $2",
                &[&id.map(|id| id.0), &limit],
            )
            .await?;
        tx.commit(&[]).await?;
        Ok(rows.iter().map(summary).collect())
    }
}

/// Ends a transaction that somebody newer takes over from, in the newer one's own database transaction.
async fn supersede(
    tx: &Tx,
    live: TransactionId,
    event: &Event,
) -> Result<(Change, Vec<hysio_model::audit::AuditEvent>)> {
    let log = read(tx, live).await?;
    let state = fold(&log)?;
    let (change, seq) = (state.change.clone(), state.seq);
    let phase = state
        .apply(event)
        .map_err(|_| Error::corrupt("scaling_events", "event", live))?
        .phase;
    insert_event(tx, live, seq, event).await?;
    set_phase(tx, live, phase, event.at()).await?;
    let words = audit_words(&change, event);
    Ok((change, words))
}

async fn insert_transaction(tx: &Tx, change: &Change, at: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO scaling_transactions (id, resource, old_count, new_count, generation, justification, actor, plan_id, phase, begun_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'gating', $9)",
        &[
            &change.id.0,
            &change.resource.as_str(),
            &change.old,
            &change.new,
            &change.generation,
            &change.justification,
            &change.user,
            &change.plan,
            &at,
        ],
    )
    .await
    .map(drop)
}

async fn insert_event(tx: &Tx, id: TransactionId, seq: u32, event: &Event) -> Result<()> {
    let seq = i32::try_from(seq).map_err(|_| Error::corrupt("scaling_events", "seq", seq))?;
    tx.execute(
        "INSERT INTO scaling_events (transaction_id, seq, event) VALUES ($1, $2, $3)",
        &[&id.0, &seq, &Json(event)],
    )
    .await
    .map(drop)
}

async fn set_phase(tx: &Tx, id: TransactionId, phase: Phase, at: Timestamp) -> Result<()> {
    let ended = phase.is_end().then_some(at);
    tx.execute(
        "UPDATE scaling_transactions SET phase = $2, ended_at = $3 WHERE id = $1",
        &[&id.0, &phase.as_str(), &ended],
    )
    .await
    .map(drop)
}

async fn read(tx: &Tx, id: TransactionId) -> Result<Vec<Event>> {
    let rows = tx
        .query(
            "SELECT seq, event FROM scaling_events WHERE transaction_id = $1 ORDER BY seq",
            &[&id.0],
        )
        .await?;
    rows.iter()
        .map(|row| {
            row.try_get::<_, Json<Event>>(1)
                .map(|event| event.0)
                .map_err(|_| Error::corrupt("scaling_events", "event", id))
        })
        .collect()
}

async fn notify(tx: &Tx, id: TransactionId) -> Result<()> {
    tx.query("SELECT pg_notify('hysio_scaling', $1)", &[&id.to_string()])
        .await
        .map(drop)
}

fn fold(log: &[Event]) -> Result<State> {
    State::of(log).map_err(|_| Error::corrupt("scaling_events", "event", "log"))
}

fn summary(row: &Row) -> Summary {
    Summary {
        id: TransactionId(row.get("id")),
        resource: row.get("resource"),
        old: row.get("old_count"),
        new: row.get("new_count"),
        generation: row.get("generation"),
        justification: row.get("justification"),
        user: row.get("actor"),
        plan: row.get("plan_id"),
        phase: row.get("phase"),
        begun_at: row.get("begun_at"),
        ended_at: row.get("ended_at"),
    }
}
