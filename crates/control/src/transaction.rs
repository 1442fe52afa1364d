//! A scaling transaction is a log of events. [`State::apply`] folds an event into the state or says that it is illegal;
//! [`next_step`] says what to do now, if anything. Neither touches the world – [`crate::perform`] does. There is no recovery
//! code: recovery is folding the log and carrying on.
//!
//! ```text
//! Gating ──▶ Applying ──▶ Waiting ──▶ Verifying ──▶ Completed
//!   │           │  │          │            │
//!   ▼           │  └──────────┴─────┬──────┘
//! Failed        ▼                   ▼
//!           Superseded ◀────── RollingBack ──▶ RolledBack
//! ```
//!
//! A refused change that took over from an unfinished one is rolled back too: the earlier one may have set the target.

mod audit;
mod event;

use hysio_scaling::gates::Report;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use audit::audit_words;
pub use event::{Baseline, Change, Counter, Counters, Event, TransactionId};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Gating,
    Applying,
    Waiting,
    Verifying,
    RollingBack,
    Completed,
    Failed,
    RolledBack,
    Superseded,
}

impl Phase {
    pub const ALL: [Self; 9] = [
        Self::Gating,
        Self::Applying,
        Self::Waiting,
        Self::Verifying,
        Self::RollingBack,
        Self::Completed,
        Self::Failed,
        Self::RolledBack,
        Self::Superseded,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gating => "gating",
            Self::Applying => "applying",
            Self::Waiting => "waiting",
            Self::Verifying => "verifying",
            Self::RollingBack => "rolling_back",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::RolledBack => "rolled_back",
            Self::Superseded => "superseded",
        }
    }

    /// Whether nothing follows any more.
    #[must_use]
    pub fn is_end(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Failed | Self::RolledBack | Self::Superseded
        )
    }
}

/// What is to be done next. Each is safe to do twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Gate,
    Apply,
    Wait,
    Verify,
    RollBack,
}

/// Where a transaction stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub change: Change,
    pub phase: Phase,
    /// What was measured before the change, for comparing afterwards.
    pub baseline: Option<Baseline>,
    /// When the gates passed.
    pub gated_at: Option<Timestamp>,
    /// When the target was last set by this transaction.
    pub applied_at: Option<Timestamp>,
    /// When rolling back began.
    pub rolling_back_since: Option<Timestamp>,
    /// Why it does not go forward any more, in words.
    pub trouble: Option<String>,
    pub report: Option<Report>,
    /// People were told that rolling back does not come to an end.
    pub stuck: bool,
    /// Events folded so far; the next one's place in the log.
    pub seq: u32,
}

/// An event that cannot follow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event} cannot follow while a scaling transaction is {phase}")]
pub struct Illegal {
    phase: &'static str,
    event: &'static str,
}

impl State {
    /// The state after the first event of a log.
    ///
    /// # Errors
    /// When that event does not begin a transaction.
    pub fn begin(event: &Event) -> Result<Self, Illegal> {
        match event {
            Event::Initiated { change, .. } => Ok(Self {
                change: change.clone(),
                phase: Phase::Gating,
                baseline: None,
                gated_at: None,
                applied_at: None,
                rolling_back_since: None,
                trouble: None,
                report: None,
                stuck: false,
                seq: 1,
            }),
            other => Err(Illegal {
                phase: "not begun",
                event: other.name(),
            }),
        }
    }

    /// Folds a whole log.
    ///
    /// # Errors
    /// When the log is empty or holds an event that cannot follow.
    pub fn of(log: &[Event]) -> Result<Self, Illegal> {
        let (first, rest) = log.split_first().ok_or(Illegal {
            phase: "not begun",
            event: "nothing",
        })?;
        rest.iter().try_fold(Self::begin(first)?, Self::apply)
    }

    /// The state after one more event. The table of what may follow what is here and nowhere else.
    ///
    /// # Errors
    /// When the event cannot follow.
    pub fn apply(self, event: &Event) -> Result<Self, Illegal> {
        let Some(next) = next_phase(&self, event) else {
            return Err(Illegal {
                phase: self.phase.as_str(),
                event: event.name(),
            });
        };
        Ok(self.enter(next, event))
    }

    fn enter(mut self, next: Phase, event: &Event) -> Self {
        match event {
            Event::GatesPassed {
                at,
                baseline,
                report,
            } => {
                self.gated_at = Some(*at);
                self.baseline = Some(baseline.clone());
                self.report = Some(report.clone());
            }
            Event::GateRefused { report, .. }
            | Event::Verified { report, .. }
            | Event::ComplianceFailed { report, .. } => self.report = Some(report.clone()),
            Event::Applied { at, .. } => self.applied_at = Some(*at),
            Event::Stuck { .. } => self.stuck = true,
            Event::Initiated { .. }
            | Event::NotApplied { .. }
            | Event::Ready { .. }
            | Event::NotReady { .. }
            | Event::RolledBack { .. }
            | Event::Superseded { .. } => {}
        }
        if let Some(why) = event.trouble() {
            self.trouble = Some(why);
        }
        if next == Phase::RollingBack && self.phase != Phase::RollingBack {
            self.rolling_back_since = Some(event.at());
        }
        self.phase = next;
        self.seq += 1;
        self
    }
}

fn next_phase(state: &State, event: &Event) -> Option<Phase> {
    match (state.phase, event) {
        (Phase::Gating, Event::GatesPassed { .. }) => Some(Phase::Applying),
        (Phase::Gating, Event::GateRefused { .. }) if state.change.took_over.is_some() => {
            Some(Phase::RollingBack)
        }
        (Phase::Gating, Event::GateRefused { .. }) => Some(Phase::Failed),
        (Phase::Applying, Event::Applied { .. }) => Some(Phase::Waiting),
        (Phase::Waiting, Event::Ready { .. }) => Some(Phase::Verifying),
        (Phase::Verifying, Event::Verified { .. }) => Some(Phase::Completed),
        (Phase::Applying, Event::NotApplied { .. })
        | (Phase::Waiting, Event::NotReady { .. })
        | (Phase::Verifying, Event::ComplianceFailed { .. })
        | (Phase::RollingBack, Event::Stuck { .. }) => Some(Phase::RollingBack),
        (Phase::RollingBack, Event::RolledBack { .. }) => Some(Phase::RolledBack),
        // A newer owner can arrive at any time; what it has set is never overwritten.
        (
            Phase::Gating
            | Phase::Applying
            | Phase::Waiting
            | Phase::Verifying
            | Phase::RollingBack,
            Event::Superseded { .. },
        ) => Some(Phase::Superseded),
        (
            Phase::Gating
            | Phase::Applying
            | Phase::Waiting
            | Phase::Verifying
            | Phase::RollingBack
            | Phase::Completed
            | Phase::Failed
            | Phase::RolledBack
            | Phase::Superseded,
            _,
        ) => None,
    }
}

/// What to do now; None at an end.
#[must_use]
pub fn next_step(state: &State) -> Option<Step> {
    match state.phase {
        Phase::Gating => Some(Step::Gate),
        Phase::Applying => Some(Step::Apply),
        Phase::Waiting => Some(Step::Wait),
        Phase::Verifying => Some(Step::Verify),
        Phase::RollingBack => Some(Step::RollBack),
        Phase::Completed | Phase::Failed | Phase::RolledBack | Phase::Superseded => None,
    }
}

#[cfg(test)]
mod tests;
