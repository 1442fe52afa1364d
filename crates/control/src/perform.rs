//! One step of a transaction, done to the world. Never an error: what happens is an event.

use std::time::Duration;

use hysio_scaling::gates::{self, Report};
use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;

use crate::{
    ports::{Away, Ports, Set},
    transaction::{Event, State, Step},
};

/// How long a target that cannot be reached is tried before the change is given up.
const APPLY_WITHIN: SignedDuration = SignedDuration::from_secs(30);
/// Facts that could not be collected are asked for again this long: an outage of a second is no failed check.
const VERIFY_WITHIN: SignedDuration = SignedDuration::from_secs(10);
/// Rolling back goes on after this, but somebody is told.
const STUCK_AFTER: SignedDuration = SignedDuration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Gates that hold during the change are asked this often.
const WATCH_EVERY: SignedDuration = SignedDuration::from_secs(2);
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Does what comes next and says what happened.
pub async fn perform(step: Step, state: &State, ports: &Ports<'_>) -> Event {
    match step {
        Step::Gate => gate(state, ports).await,
        Step::Apply => apply(state, ports).await,
        Step::Wait => wait(state, ports).await,
        Step::Verify => verify(state, ports).await,
        Step::RollBack => roll_back(state, ports).await,
    }
}

async fn gate(state: &State, ports: &Ports<'_>) -> Event {
    let (facts, baseline) = ports.probes.before(&state.change).await;
    let report = gates::before(&facts);
    let at = ports.clock.now();
    if report.passed() {
        Event::GatesPassed {
            at,
            report,
            baseline,
        }
    } else {
        Event::GateRefused { at, report }
    }
}

async fn apply(state: &State, ports: &Ports<'_>) -> Event {
    let change = &state.change;
    let begun = ports.clock.now();
    let mut backoff = Backoff::default();
    loop {
        let set = ports
            .targets
            .set(change.resource, change.new, change.generation)
            .await;
        let at = ports.clock.now();
        match set {
            Ok(Set::Done) => return Event::Applied { at },
            Ok(Set::Superseded { by }) => return Event::Superseded { at, by },
            Err(Away(why)) if at.duration_since(begun) >= APPLY_WITHIN => {
                return Event::NotApplied { at, why };
            }
            Err(_) => backoff.wait().await,
        }
    }
}

async fn wait(state: &State, ports: &Ports<'_>) -> Event {
    let change = &state.change;
    let deadline = state.applied_at.unwrap_or_else(|| ports.clock.now())
        + SignedDuration::from_secs(change.ready_within_seconds);
    let mut watched = ports.clock.now();
    loop {
        let observed = ports.targets.observe(change.resource).await;
        let at = ports.clock.now();
        let why = match observed {
            Ok(seen) if seen.generation > change.generation => {
                return Event::Superseded {
                    at,
                    by: seen.generation,
                };
            }
            Ok(seen) if seen.has_settled_at(change.new) => {
                return Event::Ready {
                    at,
                    ready: seen.ready,
                };
            }
            Ok(seen) => format!(
                "{} of {} {} ready and {} running after {} s",
                seen.ready, change.new, change.resource, seen.running, change.ready_within_seconds
            ),
            Err(Away(why)) => why,
        };
        if at >= deadline {
            return Event::NotReady { at, why };
        }
        if at.duration_since(watched) >= WATCH_EVERY {
            watched = at;
            if let Some(why) = refused_meanwhile(&gates::during(&ports.probes.during(change).await))
            {
                return Event::NotReady { at, why };
            }
        }
        sleep(LOOK_EVERY).await;
    }
}

/// A check that failed while waiting. What merely could not be collected is asked again later.
fn refused_meanwhile(report: &Report) -> Option<String> {
    report
        .refusals()
        .find(|finding| finding.verdict == gates::Verdict::Fail)
        .map(|finding| format!("{}: {}", finding.gate, finding.facts))
}

async fn verify(state: &State, ports: &Ports<'_>) -> Event {
    let change = &state.change;
    let Some(baseline) = &state.baseline else {
        unreachable!("a transaction that is verified has passed its gates")
    };
    let applied_at = state.applied_at.unwrap_or(Timestamp::UNIX_EPOCH);
    let begun = ports.clock.now();
    let mut backoff = Backoff::default();
    loop {
        if let Ok(seen) = ports.targets.observe(change.resource).await
            && seen.generation > change.generation
        {
            return Event::Superseded {
                at: ports.clock.now(),
                by: seen.generation,
            };
        }
        let facts = ports.probes.after(change, baseline, applied_at).await;
        let report = gates::after(&facts);
        let at = ports.clock.now();
        if report.passed() {
            return Event::Verified { at, report };
        }
        let certain = report
            .refusals()
            .any(|finding| finding.verdict == gates::Verdict::Fail);
        if certain || at.duration_since(begun) >= VERIFY_WITHIN {
            return Event::ComplianceFailed { at, report };
        }
        backoff.wait().await;
    }
}

/// Goes on until the earlier count is there again, or somebody newer owns the target.
async fn roll_back(state: &State, ports: &Ports<'_>) -> Event {
    let change = &state.change;
    // One above the change's own: should a slow executor still set the new count, it is refused.
    let generation = change.generation + 1;
    let since = state
        .rolling_back_since
        .unwrap_or_else(|| ports.clock.now());
    let mut backoff = Backoff::default();
    loop {
        let restored = restore(state, generation, ports).await;
        let at = ports.clock.now();
        let why = match restored {
            Ok(Restored::Yes) => {
                return Event::RolledBack {
                    at,
                    count: change.old,
                };
            }
            Ok(Restored::Superseded(by)) => return Event::Superseded { at, by },
            Ok(Restored::NotYet(why)) | Err(Away(why)) => why,
        };
        if !state.stuck && at.duration_since(since) >= STUCK_AFTER {
            return Event::Stuck { at, why };
        }
        backoff.wait().await;
    }
}

enum Restored {
    Yes,
    NotYet(String),
    Superseded(i64),
}

async fn restore(state: &State, generation: i64, ports: &Ports<'_>) -> Result<Restored, Away> {
    let change = &state.change;
    let set = ports
        .targets
        .set(change.resource, change.old, generation)
        .await?;
    if let Set::Superseded { by } = set {
        return Ok(Restored::Superseded(by));
    }
    let seen = ports.targets.observe(change.resource).await?;
    if seen.generation > generation {
        return Ok(Restored::Superseded(seen.generation));
    }
    Ok(if seen.has_settled_at(change.old) {
        Restored::Yes
    } else {
        Restored::NotYet(format!(
            "{} of {} {} ready and {} running",
            seen.ready, change.old, change.resource, seen.running
        ))
    })
}

#[derive(Default)]
struct Backoff {
    waits: u32,
}

impl Backoff {
    async fn wait(&mut self) {
        let wait = FIRST_WAIT
            .saturating_mul(2_u32.saturating_pow(self.waits))
            .min(LONGEST_WAIT);
        self.waits += 1;
        sleep(wait).await;
    }
}
