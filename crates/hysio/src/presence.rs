//! What every process that works with the database says of itself, every second: that it lives, whether it is ready, how busy
//! it is, and whether it can decrypt, audit and keep facilities apart. It also takes its share of the connections.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use figment::{Figment, providers::Env};
use hysio_control::transaction::Counter;
use hysio_infra::{
    postgres::{
        Database,
        scaling::{
            instances::{Beat, Identity, PoolShare},
            self_check::SelfCheck,
        },
    },
    process::Usage,
};
use hysio_scaling::metrics::QUERY_BUCKETS;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const BEAT_EVERY: Duration = Duration::from_secs(1);
const CHECK_EVERY: Duration = Duration::from_secs(30);

/// Set by the supervisor: the pool that a process is of, and the id that it is known by.
pub const RESOURCE: &str = "HYSIO_RESOURCE";
pub const INSTANCE: &str = "HYSIO_INSTANCE";

/// The pool that this process is of, if it is of one.
#[must_use]
pub fn pool() -> Option<String> {
    from_environment(RESOURCE)
}

/// Counts of this process since it started. Cheap to clone.
#[derive(Clone, Default)]
pub struct Tally(Arc<Counts>);

#[derive(Default)]
struct Counts {
    busy: AtomicU64,
    requests: AtomicU64,
    errors: AtomicU64,
    buckets: [AtomicU64; QUERY_BUCKETS.len() + 1],
}

impl Tally {
    /// One request or job that ended.
    pub fn ended(&self, failed: bool, took: Duration) {
        let counts = &self.0;
        counts.requests.fetch_add(1, Ordering::Relaxed);
        counts
            .errors
            .fetch_add(u64::from(failed), Ordering::Relaxed);
        let place = QUERY_BUCKETS.partition_point(|bound| *bound < took.as_secs_f64());
        counts.buckets[place].fetch_add(1, Ordering::Relaxed);
    }

    /// One more thing is worked on, until the guard is dropped.
    #[must_use]
    pub fn begin(&self) -> Busy {
        self.0.busy.fetch_add(1, Ordering::Relaxed);
        Busy(self.clone())
    }

    fn busy(&self) -> i32 {
        i32::try_from(self.0.busy.load(Ordering::Relaxed)).unwrap_or(i32::MAX)
    }

    fn counter(&self) -> Counter {
        let counts = &self.0;
        Counter {
            requests: counts.requests.load(Ordering::Relaxed),
            errors: counts.errors.load(Ordering::Relaxed),
            buckets: counts
                .buckets
                .iter()
                .map(|bucket| bucket.load(Ordering::Relaxed))
                .collect(),
        }
    }
}

pub struct Busy(Tally);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a role tells about itself.
pub struct Presence {
    pub service: &'static str,
    pub address: Option<String>,
    pub db: Database,
    pub tally: Tally,
    /// It was asked to end: it takes nothing new.
    pub draining: CancellationToken,
}

impl Presence {
    /// Checks itself, then says every second how it is, until `gone`; then takes its leave.
    pub async fn keep(self, gone: CancellationToken) {
        let identity = Identity {
            id: from_environment(INSTANCE).unwrap_or_else(Uuid::now_v7),
            service: self.service,
            resource: pool(),
            host: crate::worker::hostname(),
            pid: std::process::id(),
            address: self.address.clone(),
        };
        let mut state = Known::default();
        let mut timer = interval(BEAT_EVERY);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = gone.cancelled() => break,
                // Leaving is told at once, so that nobody counts on it any more.
                () = self.draining.cancelled(), if !state.leaving => {}
                _ = timer.tick() => {}
            }
            self.beat(&identity, &mut state).await;
        }
        if let Err(error) = self.db.leave(identity.id).await {
            tracing::debug!(
                error = crate::telemetry::chain(&error),
                "leaving was not noted; it will be seen"
            );
        }
    }

    async fn beat(&self, identity: &Identity, state: &mut Known) {
        if state.checked.is_none_or(|at| at.elapsed() >= CHECK_EVERY) {
            state.check = self.db.self_check().await;
            state.checked = Some(Instant::now());
            if let Some(trouble) = &state.check.trouble {
                tracing::error!(trouble, "this process does not pass its own check");
                // Looked at again with the next beat: an outage passes.
                state.checked = None;
            }
        }
        state.leaving = self.draining.is_cancelled();
        state.take_share(&self.db).await;
        let usage = Usage::now();
        let beat = Beat {
            ready: state.check.passed() && !state.leaving,
            leaving: state.leaving,
            busy: self.tally.busy(),
            cpu_milli: usage
                .zip(state.usage)
                .and_then(|(now, before)| now.cpu_milli_since(&before)),
            memory_bytes: usage.and_then(|usage| i64::try_from(usage.memory_bytes).ok()),
            pool_size: i32::try_from(self.db.usage().1).ok(),
            pool_generation: state.share.map(|share| share.generation),
            counter: self.tally.counter(),
            check: state.check.clone(),
        };
        state.usage = usage;
        if let Err(error) = self.db.beat(identity, &beat).await {
            tracing::debug!(
                error = crate::telemetry::chain(&error),
                "the beat was not written"
            );
        }
    }
}

#[derive(Default)]
struct Known {
    checked: Option<Instant>,
    check: SelfCheck,
    leaving: bool,
    usage: Option<Usage>,
    share: Option<PoolShare>,
}

impl Known {
    async fn take_share(&mut self, db: &Database) {
        let Ok(Some(share)) = db.pool_share().await else {
            return;
        };
        if self.share != Some(share) {
            db.resize(share.size);
            self.share = Some(share);
        }
    }
}

/// Through figment, so that the environment is read in one way.
fn from_environment<T: serde::de::DeserializeOwned>(name: &'static str) -> Option<T> {
    Figment::from(Env::raw().only(&[name]))
        .extract_inner(&name.to_lowercase())
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_is_counted_in_its_bucket_and_who_is_busy_while_he_is() {
        let tally = Tally::default();
        let busy = tally.begin();
        tally.ended(false, Duration::from_millis(7));
        tally.ended(true, Duration::from_secs(60));
        assert_eq!(tally.busy(), 1);
        drop(busy);
        assert_eq!(tally.busy(), 0);
        let counter = tally.counter();
        assert_eq!((counter.requests, counter.errors), (2, 1));
        // 5 ms < 7 ms ≤ 10 ms, and beyond the last bound.
        assert_eq!(counter.buckets[2], 1);
        assert_eq!(counter.buckets.last(), Some(&1));
    }
}
