//! What a supervisor does about a process that has ended. Pure: it is told what happened, and says what to do.

use std::time::Duration;

/// A process that ran this long was well: its next failure counts as the first again.
const WELL_AFTER: Duration = Duration::from_secs(30);
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// Failures in a row, none of them well in between, after which starting it again is no help.
const FAILURES_MAX: u32 = 10;

/// What is known about one supervised process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History {
    failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    StartAfter(Duration),
    /// It never gets well: everything is to be stopped, and a person told.
    GiveUp,
}

impl History {
    /// The process ended although nobody asked it to, after running for `ran`.
    #[must_use]
    pub fn ended(self, ran: Duration) -> (Self, Next) {
        let failures = if ran >= WELL_AFTER {
            1
        } else {
            self.failures + 1
        };
        let next = if failures > FAILURES_MAX {
            Next::GiveUp
        } else {
            Next::StartAfter(
                FIRST_WAIT
                    .saturating_mul(2_u32.pow(failures - 1))
                    .min(LONGEST_WAIT),
            )
        };
        (Self { failures }, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Duration = Duration::from_millis(10);

    #[test]
    fn a_process_that_was_well_is_started_again_soon_however_often_it_dies() {
        let mut history = History::default();
        for _ in 0..100 {
            let (after, next) = history.ended(WELL_AFTER);
            assert_eq!(next, Next::StartAfter(FIRST_WAIT));
            history = after;
        }
    }

    #[test]
    fn one_that_never_gets_well_is_given_up_after_growing_waits() {
        let mut history = History::default();
        let mut last = Duration::ZERO;
        for _ in 0..FAILURES_MAX {
            let (after, next) = history.ended(AT_ONCE);
            let Next::StartAfter(wait) = next else {
                panic!("given up too early")
            };
            assert!(wait >= last && wait <= LONGEST_WAIT);
            (history, last) = (after, wait);
        }
        assert_eq!(history.ended(AT_ONCE).1, Next::GiveUp);
    }
}
