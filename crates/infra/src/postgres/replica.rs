//! Reading from replicas, as far as they have come.
//!
//! A session sees what it wrote: its writes note how far the log was (an LSN), and a read goes to a replica only if that has
//! replayed as much. A replica that lags, dies or conflicts costs a read a second try on the primary, never an error.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use deadpool_postgres::Pool;
use hysio_model::id::FacilityId;
use postgres_types::PgLsn;
use tokio_postgres::SimpleQueryMessage;

use super::{Database, Error, Result, Tx, connection::Connection, tx::begin_sql};

/// Longer than this and the primary is asked instead.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// A replica that failed is left alone for so long.
const REST: Duration = Duration::from_secs(2);

tokio::task_local! {
    /// How far the log was after the newest write of the session that is being served.
    static SEEN: Arc<AtomicU64>;
}

/// Serves a request of a session that has seen the log up to `seen`. Returns how far it has seen it now.
pub async fn serving<T>(seen: Option<PgLsn>, work: impl Future<Output = T>) -> (T, Option<PgLsn>) {
    let place = Arc::new(AtomicU64::new(seen.map_or(0, u64::from)));
    let done = SEEN.scope(place.clone(), work).await;
    let seen = place.load(Ordering::Relaxed);
    (done, (seen > 0).then(|| seen.into()))
}

/// After a commit: how far the log is now. Not being told costs the next reads nothing but the replica's help.
pub(super) async fn note_write(client: &Connection) {
    let Ok(place) = SEEN.try_with(Clone::clone) else {
        return;
    };
    let sql = "SELECT pg_current_wal_lsn()";
    let told = client.direct().simple_query(sql).await;
    let lsn = told
        .ok()
        .as_deref()
        .and_then(first_value)
        .and_then(|text| text.parse::<PgLsn>().ok());
    place.fetch_max(lsn.map_or(u64::MAX, u64::from), Ordering::Relaxed);
}

pub(super) struct Replica {
    pool: Pool,
    pooled: bool,
    begun: Instant,
    /// Milliseconds after `begun` until which it rests; 0 when it is well.
    rests_until: AtomicU64,
    counts: Counts,
}

/// Where reads went, since the process started.
#[derive(Debug, Default)]
pub struct Counts {
    pub replica: AtomicU64,
    /// To the primary, as the replica was behind what the session had written.
    pub behind: AtomicU64,
    /// To the primary, as the replica did not answer or gave up.
    pub away: AtomicU64,
}

impl Replica {
    pub(super) fn new(pool: Pool, pooled: bool) -> Self {
        Self {
            pool,
            pooled,
            begun: Instant::now(),
            rests_until: AtomicU64::new(0),
            counts: Counts::default(),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether it is to be asked. Of all who come after its rest one tries, and the others wait for what comes of it.
    fn may_be_asked(&self) -> bool {
        let until = self.rests_until.load(Ordering::Relaxed);
        if until == 0 {
            return true;
        }
        let now = self.now();
        let next = now + u64::try_from(REST.as_millis()).unwrap_or(u64::MAX);
        let (set, get) = (Ordering::Relaxed, Ordering::Relaxed);
        now >= until
            && self
                .rests_until
                .compare_exchange(until, next, set, get)
                .is_ok()
    }

    fn failed(&self, error: &Error) {
        tracing::warn!(error = %error, "a replica does not answer; reads go to the primary");
        let until = self.now() + u64::try_from(REST.as_millis()).unwrap_or(u64::MAX);
        self.rests_until.store(until, Ordering::Relaxed);
        self.counts.away.fetch_add(1, Ordering::Relaxed);
    }

    /// A transaction that has begun, or None when the replica is behind.
    async fn begin(&self, facility: FacilityId, seen: u64) -> Result<Option<Connection>> {
        let client = Connection::new(self.pool.get().await?, self.pooled);
        let begin = begin_sql("BEGIN READ ONLY", Some(facility));
        let seen = PgLsn::from(seen);
        let sql = format!(
            "{begin}; SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() >= '{seen}'::pg_lsn ELSE true END"
        );
        let told = client.direct().simple_query(&sql).await?;
        if last_value(&told) == Some("t") {
            return Ok(Some(client));
        }
        client.batch_execute("ROLLBACK").await?;
        Ok(None)
    }
}

/// Up to two attempts to read the same: `begin`, read, and ask whether that [stands](Reading::stands).
pub struct Reading<'a> {
    db: &'a Database,
    facility: FacilityId,
    on_replica: bool,
    tried: bool,
}

impl Reading<'_> {
    /// The transaction to read in. It is to be committed with the audit entries of what was read.
    pub async fn begin(&mut self) -> Result<Tx> {
        if !std::mem::replace(&mut self.tried, true)
            && let Some(tx) = self.db.replica_tx(self.facility).await
        {
            self.on_replica = true;
            return Ok(tx);
        }
        self.on_replica = false;
        self.db.tx(self.facility).await
    }

    /// What was read, or None when it is to be read again, on the primary: a replica may be gone, in conflict with what it
    /// replays, or not know what a worker has just written.
    pub fn stands<T>(&self, read: Result<Option<T>>) -> Result<Option<Option<T>>> {
        if !self.on_replica {
            return read.map(Some);
        }
        match read {
            Ok(None) => Ok(None),
            Ok(Some(found)) => Ok(Some(Some(found))),
            Err(error @ (Error::Unavailable(_) | Error::Query(_))) => {
                if let Some(replica) = &self.db.replica {
                    replica.failed(&error);
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

impl Database {
    /// Reading for `facility`: on a replica, if there is one that has what this session wrote, else on the primary.
    #[must_use]
    pub fn reading(&self, facility: FacilityId) -> Reading<'_> {
        Reading {
            db: self,
            facility,
            on_replica: false,
            tried: false,
        }
    }

    /// Where reads went. None without a replica.
    #[must_use]
    pub fn replica_counts(&self) -> Option<&Counts> {
        self.replica.as_deref().map(|replica| &replica.counts)
    }

    async fn replica_tx(&self, facility: FacilityId) -> Option<Tx> {
        let replica = self.replica.as_ref()?;
        let seen = SEEN.try_with(|place| place.load(Ordering::Relaxed)).ok()?;
        // A number that no log reaches: a write's place could not be found out.
        if seen == u64::MAX {
            return None;
        }
        let keys = match self.vault().known(facility) {
            Some(keys) => keys,
            None => self
                .vault()
                .keys(&self.client().await.ok()?, facility)
                .await
                .ok()?,
        };
        if !replica.may_be_asked() {
            return None;
        }
        match in_time(replica.begin(facility, seen)).await {
            Ok(Some(client)) => {
                replica.rests_until.store(0, Ordering::Relaxed);
                replica.counts.replica.fetch_add(1, Ordering::Relaxed);
                Some(Tx::on_replica(client, self.clone(), facility, keys))
            }
            Ok(None) => {
                replica.rests_until.store(0, Ordering::Relaxed);
                replica.counts.behind.fetch_add(1, Ordering::Relaxed);
                None
            }
            Err(error) => {
                replica.failed(&error);
                None
            }
        }
    }
}

/// A replica that hangs is as good as gone.
pub(super) async fn in_time<T>(asked: impl Future<Output = Result<T>>) -> Result<T> {
    match tokio::time::timeout(ANSWER_WITHIN, asked).await {
        Ok(answered) => answered,
        Err(late) => Err(Error::Unavailable(Box::new(late))),
    }
}

fn first_value(told: &[SimpleQueryMessage]) -> Option<&str> {
    values(told).next()
}

fn last_value(told: &[SimpleQueryMessage]) -> Option<&str> {
    values(told).last()
}

fn values(told: &[SimpleQueryMessage]) -> impl Iterator<Item = &str> {
    told.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    })
}
