//! Processes that run, by their own word. Who is killed falls silent and counts no more.

use hysio_control::transaction::Counter;
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{self_check::SelfCheck, targets::SILENT_AFTER};
use crate::postgres::{Database, Error, Result, migrate};

/// What a process is, as long as it lives.
#[derive(Clone, Debug)]
pub struct Identity {
    pub id: Uuid,
    pub service: &'static str,
    /// The pool it is of, where it is scaled.
    pub resource: Option<String>,
    pub host: String,
    pub pid: u32,
    pub address: Option<String>,
}

/// What it says of itself now.
#[derive(Clone, Debug, Default)]
pub struct Beat {
    pub ready: bool,
    pub leaving: bool,
    pub busy: i32,
    /// Thousandths of a core, since the beat before.
    pub cpu_milli: Option<i64>,
    pub memory_bytes: Option<i64>,
    pub pool_size: Option<i32>,
    pub pool_generation: Option<i64>,
    pub counter: Counter,
    pub check: SelfCheck,
}

/// An instance as it was last heard of.
#[derive(Clone, Debug)]
pub struct Instance {
    pub id: Uuid,
    pub service: String,
    pub resource: Option<String>,
    pub host: String,
    pub pid: i32,
    pub address: Option<String>,
    pub started_at: Timestamp,
    pub seen_at: Timestamp,
    pub ready_at: Option<Timestamp>,
    pub leaving: bool,
    pub busy: i32,
    pub cpu_milli: Option<i64>,
    pub memory_bytes: Option<i64>,
    pub pool_size: Option<i32>,
    pub counter: Counter,
    pub check: SelfCheck,
}

/// This process's share of the connections, by the newest generation. None while they are not scaled here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolShare {
    pub size: usize,
    pub generation: i64,
}

/// Fewer connections than this and a process cannot do its work.
const POOL_MIN: i64 = 2;

impl Database {
    /// Writes down that this process lives and how it is.
    pub async fn beat(&self, identity: &Identity, beat: &Beat) -> Result<()> {
        let tx = self.platform_tx().await?;
        let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let buckets: Vec<i64> = beat.counter.buckets.iter().copied().map(count).collect();
        tx.execute(
            "INSERT INTO instances (id, service, resource, host, pid, address, ready_at, leaving, busy, cpu_milli, memory_bytes, pool_size,
                 pool_generation, requests, errors, latency_buckets, encryption_ok, audit_ok, access_ok, trouble, schema_version)
             VALUES ($1, $2, $3, $4, $5, $6, CASE WHEN $7 THEN now() END, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
             ON CONFLICT (id) DO UPDATE SET seen_at = now(), ready_at = CASE WHEN $7 THEN coalesce(instances.ready_at, now()) END, leaving = $8,
                 busy = $9, cpu_milli = $10, memory_bytes = $11, pool_size = $12, pool_generation = $13, requests = $14, errors = $15,
                 latency_buckets = $16, encryption_ok = $17, audit_ok = $18, access_ok = $19, trouble = $20",
            &[
                &identity.id,
                &identity.service,
                &identity.resource,
                &identity.host,
                &i32::try_from(identity.pid).unwrap_or(i32::MAX),
                &identity.address,
                &beat.ready,
                &beat.leaving,
                &beat.busy,
                &beat.cpu_milli,
                &beat.memory_bytes,
                &beat.pool_size,
                &beat.pool_generation,
                &count(beat.counter.requests),
                &count(beat.counter.errors),
                &buckets,
                &beat.check.encryption,
                &beat.check.audit,
                &beat.check.access_control,
                &beat.check.trouble,
                &migrate::version(),
            ],
        )
        .await?;
        tx.commit(&[]).await
    }

    /// This process ends.
    pub async fn leave(&self, id: Uuid) -> Result<()> {
        let tx = self.platform_tx().await?;
        tx.execute("DELETE FROM instances WHERE id = $1", &[&id])
            .await?;
        tx.commit(&[]).await
    }

    /// Forgets who fell silent long ago.
    pub async fn sweep_instances(&self) -> Result<u64> {
        let tx = self.platform_tx().await?;
        let swept = tx
            .execute(
                "DELETE FROM instances WHERE seen_at < now() - interval '5 minutes'",
                &[],
            )
            .await?;
        tx.commit(&[]).await?;
        Ok(swept)
    }

    /// Who was heard of lately.
    pub async fn instances(&self) -> Result<Vec<Instance>> {
        let tx = self.platform_tx().await?;
        let rows = tx
            .query(
                "SELECT * FROM instances WHERE seen_at > now() - make_interval(secs => $1) ORDER BY service, started_at, id",
                &[&SILENT_AFTER.as_secs_f64()],
            )
            .await?;
        tx.commit(&[]).await?;
        rows.iter().map(instance).collect()
    }

    /// The share of the connections that a process of those alive now may hold.
    pub async fn pool_share(&self) -> Result<Option<PoolShare>> {
        let tx = self.platform_tx().await?;
        let row = tx
            .query_opt(
                "SELECT t.desired::bigint / greatest((SELECT count(*) FROM instances i WHERE i.pool_size IS NOT NULL AND NOT i.leaving
                     AND i.seen_at > now() - make_interval(secs => $2)), 1), t.generation
                 FROM scaling_targets t WHERE t.resource = $1",
                &[&hysio_scaling::Resource::DbConnections.as_str(), &SILENT_AFTER.as_secs_f64()],
            )
            .await?;
        tx.commit(&[]).await?;
        Ok(row.map(|row| PoolShare {
            size: usize::try_from(row.get::<_, i64>(0).max(POOL_MIN)).unwrap_or(2),
            generation: row.get(1),
        }))
    }
}

fn instance(row: &Row) -> Result<Instance> {
    let id: Uuid = row.get("id");
    let count =
        |n: i64, column| u64::try_from(n).map_err(|_| Error::corrupt("instances", column, id));
    let buckets: Vec<i64> = row.get("latency_buckets");
    Ok(Instance {
        id,
        service: row.get("service"),
        resource: row.get("resource"),
        host: row.get("host"),
        pid: row.get("pid"),
        address: row.get("address"),
        started_at: row.get("started_at"),
        seen_at: row.get("seen_at"),
        ready_at: row.get("ready_at"),
        leaving: row.get("leaving"),
        busy: row.get("busy"),
        cpu_milli: row.get("cpu_milli"),
        memory_bytes: row.get("memory_bytes"),
        pool_size: row.get("pool_size"),
        counter: Counter {
            requests: count(row.get("requests"), "requests")?,
            errors: count(row.get("errors"), "errors")?,
            buckets: buckets
                .into_iter()
                .map(|n| count(n, "latency_buckets"))
                .collect::<Result<_>>()?,
        },
        check: SelfCheck {
            encryption: row.get("encryption_ok"),
            audit: row.get("audit_ok"),
            access_control: row.get("access_ok"),
            trouble: row.get("trouble"),
        },
    })
}
