//! How often a client may ask: a steady rate with a burst (GCRA), per key, in bounded memory. In process; several
//! instances each count for themselves until a shared limiter stands behind the same [`RateLimiter`] port.

use std::{
    hash::{BuildHasher, RandomState},
    num::NonZeroU32,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use governor::{
    Quota,
    clock::{Clock, MonotonicClock},
    middleware::NoOpMiddleware,
    state::keyed::DashMapStateStore,
};

mod client;

pub use client::client_of;

/// May this client go on?
#[async_trait]
pub trait RateLimiter: Send + Sync {
    /// Counts one request of a client, which any text can name: an address (see [`client_of`]), a user's id.
    ///
    /// # Errors
    /// When the client has used up its burst and asks faster than its rate.
    async fn check(&self, client: &str) -> Result<(), Refused>;
}

/// Answer 429 with this in `Retry-After`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many requests: try again in {retry_after_seconds} s")]
pub struct Refused {
    /// At least 1.
    pub retry_after_seconds: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How many at once, before the rate holds.
    pub burst: NonZeroU32,
    /// One more is allowed each time this has passed.
    pub every: Duration,
}

impl Limit {
    /// Ten a second with a burst of twenty.
    pub const REQUESTS: Self = Self {
        burst: NonZeroU32::new(20).expect("20 is not zero"),
        every: Duration::from_millis(100),
    };

    /// Five, then one every twelve seconds: a person who mistypes never notices, a guesser gets 7,200 a day.
    pub const SIGN_IN: Self = Self {
        burst: NonZeroU32::new(5).expect("5 is not zero"),
        every: Duration::from_secs(12),
    };
}

/// Above this many clients at once, they share [`SHARED_SLOTS`] by hash: some are then slowed without cause, but neither
/// memory nor protection is lost.
pub const MOST_CLIENTS: usize = 100_000;
const SHARED_SLOTS: u64 = 16_384;
/// Idle clients are forgotten once in this many checks, so the table never holds more than both together.
const CHECKS_PER_SWEEP: u32 = 4_096;

/// Counts in this process. Holds keyed hashes of clients, never their addresses.
pub struct LocalRateLimiter<C: Clock = MonotonicClock> {
    table: governor::RateLimiter<u64, DashMapStateStore<u64>, C, NoOpMiddleware<C::Instant>>,
    clock: C,
    hasher: RandomState,
    checks: AtomicU32,
    crowded: AtomicBool,
    most_clients: usize,
}

impl LocalRateLimiter {
    /// # Panics
    /// When the limit's interval is zero.
    #[must_use]
    pub fn new(limit: Limit) -> Self {
        Self::with_clock(limit, MonotonicClock, MOST_CLIENTS)
    }
}

impl<C: Clock + Clone> LocalRateLimiter<C> {
    fn with_clock(limit: Limit, clock: C, most_clients: usize) -> Self {
        let quota = Quota::with_period(limit.every)
            .expect("the configuration refuses an interval of zero")
            .allow_burst(limit.burst);
        Self {
            table: governor::RateLimiter::dashmap_with_clock(quota, clock.clone()),
            clock,
            hasher: RandomState::new(),
            checks: AtomicU32::new(0),
            crowded: AtomicBool::new(false),
            most_clients,
        }
    }

    fn count(&self, client: &str) -> Result<(), Refused> {
        self.sweep_in_turn();
        let hash = self.hasher.hash_one(client);
        let key = if self.crowded.load(Ordering::Relaxed) {
            hash % SHARED_SLOTS
        } else {
            hash
        };
        self.table.check_key(&key).map_err(|refusal| {
            let wait = refusal.wait_time_from(self.clock.now());
            Refused {
                retry_after_seconds: wait
                    .as_millis()
                    .div_ceil(1000)
                    .max(1)
                    .try_into()
                    .unwrap_or(u64::MAX),
            }
        })
    }

    fn sweep_in_turn(&self) {
        if self.checks.fetch_add(1, Ordering::Relaxed) % CHECKS_PER_SWEEP != CHECKS_PER_SWEEP - 1 {
            return;
        }
        self.table.retain_recent();
        self.table.shrink_to_fit();
        self.crowded
            .store(self.table.len() >= self.most_clients, Ordering::Relaxed);
    }
}

#[async_trait]
impl<C> RateLimiter for LocalRateLimiter<C>
where
    C: Clock + Clone + Send + Sync,
    C::Instant: Send + Sync,
{
    async fn check(&self, client: &str) -> Result<(), Refused> {
        self.count(client)
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn limiter(
        limit: Limit,
        most: usize,
    ) -> (LocalRateLimiter<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        (
            LocalRateLimiter::with_clock(limit, clock.clone(), most),
            clock,
        )
    }

    fn allowed(limiter: &LocalRateLimiter<FakeRelativeClock>, client: &str, tries: u32) -> usize {
        (0..tries).filter(|_| limiter.count(client).is_ok()).count()
    }

    #[test]
    fn a_client_gets_its_burst_and_then_its_rate() {
        let (limiter, clock) = limiter(Limit::REQUESTS, MOST_CLIENTS);
        assert_eq!(allowed(&limiter, "a", 50), 20);
        clock.advance(Duration::from_secs(1));
        assert_eq!(allowed(&limiter, "a", 50), 10);
        clock.advance(Duration::from_secs(60));
        assert_eq!(
            allowed(&limiter, "a", 50),
            20,
            "an idle client has its burst again"
        );
    }

    #[test]
    fn one_client_does_not_slow_another() {
        let (limiter, _clock) = limiter(Limit::REQUESTS, MOST_CLIENTS);
        assert_eq!(allowed(&limiter, "a", 50), 20);
        assert_eq!(allowed(&limiter, "b", 50), 20);
    }

    #[test]
    fn a_refusal_says_when_to_come_back_and_that_holds() {
        let (limiter, clock) = limiter(Limit::SIGN_IN, MOST_CLIENTS);
        assert_eq!(allowed(&limiter, "a", 10), 5);
        let refused = limiter.count("a").unwrap_err();
        assert_eq!(refused.retry_after_seconds, 12);
        clock.advance(Duration::from_secs(refused.retry_after_seconds - 1));
        assert_eq!(limiter.count("a").unwrap_err().retry_after_seconds, 1);
        clock.advance(Duration::from_secs(1));
        assert_eq!(limiter.count("a"), Ok(()));
    }

    #[test]
    fn idle_clients_are_forgotten() {
        let (limiter, clock) = limiter(Limit::REQUESTS, MOST_CLIENTS);
        for client in 0..CHECKS_PER_SWEEP - 1 {
            limiter.count(&client.to_string()).unwrap();
        }
        clock.advance(Duration::from_secs(10));
        limiter.count("late").unwrap();
        assert_eq!(limiter.table.len(), 1);
    }

    #[test]
    fn a_flood_of_clients_neither_grows_the_table_nor_goes_unlimited() {
        let (limiter, _clock) = limiter(Limit::REQUESTS, 100);
        for client in 0..20 * CHECKS_PER_SWEEP {
            let _ = limiter.count(&client.to_string());
        }
        let bound = 2 * CHECKS_PER_SWEEP as usize + SHARED_SLOTS as usize;
        assert!(limiter.table.len() <= bound, "{} keys", limiter.table.len());
        assert!(allowed(&limiter, "one of them", 50) <= 20);
    }
}
