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

    /// The answer, which in a short outage comes a little later.
    pub async fn through<T, F: Future<Output = Result<T>>>(
        &self,
        ask: impl Fn() -> F,
    ) -> Result<T> {
        loop {
            let answer = ask().await;
            let away = matches!(answer, Err(Error::Unavailable(_)));
            if !self.passes(away).await {
                return answer;
            }
        }
    }

    /// After an answer: whether to ask again, once a moment has passed. `away` says that the database could not be reached.
    async fn passes(&self, away: bool) -> bool {
        if !away {
            self.since.store(0, Ordering::Relaxed);
            return false;
        }
        let short = self.is_short();
        if short {
            sleep(AGAIN_AFTER).await;
        }
        short
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
    use super::*;

    /// How often somebody asks who is told `away` so many times.
    async fn asked(outage: &Outage, mut away: u32) -> u32 {
        let mut asked = 1;
        while outage.passes(away > 0).await {
            away = away.saturating_sub(1);
            asked += 1;
        }
        asked
    }

    #[tokio::test]
    async fn who_asks_in_a_short_outage_waits_for_the_answer() {
        assert_eq!(asked(&Outage::new(), 3).await, 4);
        assert_eq!(asked(&Outage::new(), 0).await, 1);
    }

    #[tokio::test]
    async fn in_a_long_one_the_first_wait_and_the_others_hear_of_it_at_once() {
        let patience = AGAIN_AFTER * 2;
        let outage = Outage::of(patience);
        sleep(patience * 2).await;
        let first = asked(&outage, u32::MAX).await;
        assert!(first > 1, "it was waited for: {first}");
        assert_eq!(asked(&outage, u32::MAX).await, 1, "known by now");
        assert_eq!(asked(&outage, 0).await, 1, "back");
        let next = asked(&outage, u32::MAX).await;
        assert!(next > 1, "the next one is a new one: {next}");
    }
}
