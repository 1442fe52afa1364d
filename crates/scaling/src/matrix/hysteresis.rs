//! When a tier is left: up at once, down only when it has been clearly below for a while.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A descent that has begun and isn't over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaving {
    pub since: Timestamp,
    /// When it was last seen to be below; after a longer silence the time counts anew.
    pub seen: Timestamp,
    /// The highest tier that was held since then: where it will go.
    pub to: String,
}

/// What the signals say now, as indices of tiers, lowest first.
pub(super) struct Observed {
    /// The highest tier that a signal reaches.
    pub reached: usize,
    /// The highest tier that a signal holds: it is not clearly below its edge. At least `reached`.
    pub held: usize,
    /// Whether every signal could be read.
    pub certain: bool,
}

/// The times that it takes.
pub(super) struct Patience {
    pub leave_after_seconds: i64,
    pub silence_seconds: i64,
}

/// From the tier that is held and a descent, if one has begun, to both as they are now. `begun` has its tier as index.
pub(super) fn step(
    current: usize,
    begun: Option<(&Leaving, usize)>,
    observed: &Observed,
    now: Timestamp,
    patience: &Patience,
) -> (usize, Option<(Timestamp, usize)>) {
    if observed.reached >= current {
        return (observed.reached, None);
    }
    if observed.held >= current || !observed.certain {
        return (current, None);
    }
    let unbroken = begun.filter(|(leaving, _)| {
        let silence = now.as_second() - leaving.seen.as_second();
        (0..=patience.silence_seconds).contains(&silence)
    });
    let (since, to) = match unbroken {
        Some((leaving, to)) => (leaving.since, to.max(observed.held)),
        None => (now, observed.held),
    };
    if now.as_second() - since.as_second() >= patience.leave_after_seconds {
        return (to.min(current), None);
    }
    (current, Some((since, to)))
}
