//! Waiting through a short outage. A server that restarts, a failover or a new pooler takes seconds: who asks in the meantime gets
//! an answer a little later instead of an error. Only what changes nothing, or the same thing again, may be asked a second time.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::{Error, Result};

/// From its beginning on; whoever asks later than that hears of the outage at once. Less than the 30 s after which NGINX gives up.
const PATIENCE: Duration = Duration::from_secs(12);
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// When the database was first found to be away.
pub(super) struct Outage {
    started: Instant,
    /// Milliseconds after `started`; 0 while it answers.
    since: AtomicU64,
    patience: Duration,
}

impl Outage {
    pub fn new() -> Self {
        Self::of(PATIENCE)
    }

    fn of(patience: Duration) -> Self {
        Self {
            started: Instant::now(),
            since: AtomicU64::new(0),
            patience,
        }
    }

    /// Asks again while the database is away, until the outage has lasted too long.
    pub async fn through<T>(&self, ask: impl AsyncFn() -> Result<T>) -> Result<T> {
        loop {
            let answer = ask().await;
            match answer {
                Err(Error::Unavailable(_)) if self.is_short() => sleep(AGAIN_AFTER).await,
                answer => {
                    if !matches!(answer, Err(Error::Unavailable(_))) {
                        self.since.store(0, Ordering::Relaxed);
                    }
                    return answer;
                }
            }
        }
    }

    /// Notes the outage, if nobody did before.
    fn is_short(&self) -> bool {
        let now = u64::try_from(self.started.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        let (set, get) = (Ordering::Relaxed, Ordering::Relaxed);
        let since = match self.since.compare_exchange(0, now, set, get) {
            Ok(_) => now,
            Err(since) => since,
        };
        Duration::from_millis(now.saturating_sub(since)) < self.patience
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    fn away<T>() -> Result<T> {
        Err(Error::Unavailable("away".into()))
    }

    #[tokio::test]
    async fn who_asks_in_a_short_outage_waits_for_the_answer() {
        let (outage, asked) = (Outage::new(), AtomicU32::new(0));
        let answer = outage
            .through(async || match asked.fetch_add(1, Ordering::Relaxed) {
                0..3 => away(),
                _ => Ok(7),
            })
            .await;
        assert_eq!(answer.expect("answered"), 7);
    }

    #[tokio::test]
    async fn in_a_long_one_the_first_wait_and_the_others_hear_of_it_at_once() {
        let patience = AGAIN_AFTER * 2;
        let outage = Outage::of(patience);
        sleep(patience * 2).await;
        let asks = AtomicU32::new(0);
        let ask = async || {
            asks.fetch_add(1, Ordering::Relaxed);
            away::<()>()
        };
        outage.through(ask).await.expect_err("away");
        let first = asks.swap(0, Ordering::Relaxed);
        assert!(first > 1, "it was waited for: {first}");
        outage.through(ask).await.expect_err("away");
        assert_eq!(asks.swap(0, Ordering::Relaxed), 1, "known by now");
        outage.through(async || Ok(())).await.expect("back");
        outage.through(ask).await.expect_err("away");
        let next = asks.swap(0, Ordering::Relaxed);
        assert!(next > 1, "the next one is a new one: {next}");
    }

    #[tokio::test]
    async fn other_errors_are_not_waited_for() {
        let asked = AtomicU32::new(0);
        let wrong = Outage::new()
            .through(async || {
                asked.fetch_add(1, Ordering::Relaxed);
                Err::<(), _>(Error::Query("wrong".into()))
            })
            .await;
        assert!(wrong.is_err());
        assert_eq!(asked.into_inner(), 1);
    }
}
