//! How waiting goes: in time that only moves forward, whatever is done to the machine's clock meanwhile.

use std::{future::Future, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep, timeout};

use crate::ports::Away;

const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Whoever is silent for longer is as good as away.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// The answer, unless it takes too long. What was asked for may happen all the same.
pub(crate) async fn answer<T>(
    call: impl Future<Output = Result<T, Away>> + Send,
) -> Result<T, Away> {
    match timeout(ANSWER_WITHIN, call).await {
        Ok(answer) => answer,
        Err(_) => Err(Away(format!(
            "no answer within {} s",
            ANSWER_WITHIN.as_secs()
        ))),
    }
}

/// When `within` will have passed since `since`. The log's times may be another machine's: whatever that one's clock said,
/// it is neither past now nor further ahead than `within`.
pub(crate) fn deadline(since: Timestamp, now: Timestamp, within: SignedDuration) -> Instant {
    let within = within.max(SignedDuration::ZERO);
    let passed = now
        .duration_since(since)
        .clamp(SignedDuration::ZERO, within);
    Instant::now() + (within - passed).unsigned_abs()
}

/// Tries again after growing waits.
pub(crate) struct Backoff {
    begun: Instant,
    waits: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            waits: 0,
        }
    }
}

impl Backoff {
    /// Whether it was tried for long enough, and more than once: one call without an answer may take all of the time.
    pub(crate) fn is_over(&self, within: Duration) -> bool {
        self.waits > 0 && self.begun.elapsed() >= within
    }

    pub(crate) async fn wait(&mut self) {
        let wait = FIRST_WAIT
            .saturating_mul(2_u32.saturating_pow(self.waits))
            .min(LONGEST_WAIT);
        self.waits += 1;
        sleep(wait).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_deadline_is_never_further_away_than_what_was_granted() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let granted = SignedDuration::from_secs(30);
        for (since, left) in [
            (1_000_000, 30),
            (999_990, 20),
            (999_000, 0),
            (1_003_600, 30),
        ] {
            let since = Timestamp::from_second(since).unwrap();
            assert_eq!(
                deadline(since, now, granted) - Instant::now(),
                Duration::from_secs(left)
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_never_answers_is_away() {
        let never = std::future::pending::<Result<(), Away>>();
        assert!(answer(never).await.is_err());
    }
}
