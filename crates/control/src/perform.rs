//! One step of a transaction, done to the world. Never an error: what happens is an event.

use std::time::Duration;

use hysio_scaling::gates::{
    self, AfterFacts, BeforeFacts, DuringFacts, Finding, Gate, Report, Verdict,
};
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    patience::{Backoff, answer, deadline},
    ports::{Away, Observed, Ports, Set},
    transaction::{Change, Event, State, Step},
};

/// Facts that could not be collected are asked for again this long: an outage of a second is no failed check.
const FACTS_WITHIN: Duration = Duration::from_secs(10);
/// Whoever collects facts for longer has not collected them.
const PROBE_WITHIN: Duration = Duration::from_secs(30);
/// How long a target that cannot be reached is tried before the change is given up.
const APPLY_WITHIN: Duration = Duration::from_secs(30);
/// Gates that passed longer ago, before everybody who could carry the change on was away, say nothing about now.
const GATES_HOLD: SignedDuration = SignedDuration::from_mins(5);
/// No change is waited for longer, whatever was asked for.
const READY_WITHIN_MAX: i64 = 24 * 60 * 60;
/// Rolling back goes on after this, but somebody is told.
const STUCK_AFTER: SignedDuration = SignedDuration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Gates that hold during the change are asked this often.
const WATCH_EVERY: Duration = Duration::from_secs(2);

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
    let mut backoff = Backoff::default();
    loop {
        let asked = timeout(PROBE_WITHIN, ports.probes.before(&state.change)).await;
        let (facts, baseline) = match asked {
            Ok((facts, baseline)) => (facts, Some(baseline)),
            Err(_) => (BeforeFacts::unknown(&silent()), None),
        };
        let mut report = gates::before(&facts);
        if let Some(baseline) = &baseline {
            report.findings.extend(baseline.missing());
        }
        let at = ports.clock.now();
        if let Some(baseline) = baseline
            && report.passed()
        {
            return Event::GatesPassed {
                at,
                report,
                baseline,
            };
        }
        let uncollected = report
            .refusals()
            .all(|finding| finding.verdict == Verdict::Error);
        if !uncollected || backoff.is_over(FACTS_WITHIN) {
            return Event::GateRefused { at, report };
        }
        backoff.wait().await;
    }
}

async fn apply(state: &State, ports: &Ports<'_>) -> Event {
    let change = &state.change;
    if let Some(why) = stale(state, ports.clock.now()) {
        let at = ports.clock.now();
        return Event::NotApplied { at, why };
    }
    let mut backoff = Backoff::default();
    loop {
        let set = answer(
            ports
                .targets
                .set(change.resource, change.new, change.generation),
        )
        .await;
        let at = ports.clock.now();
        match set {
            Ok(Set::Done) => return Event::Applied { at },
            Ok(Set::Superseded { by }) => return Event::Superseded { at, by },
            Err(Away(why)) if backoff.is_over(APPLY_WITHIN) => {
                return Event::NotApplied { at, why };
            }
            Err(_) => backoff.wait().await,
        }
    }
}

/// Why the gates have to be asked again, by another change.
fn stale(state: &State, now: Timestamp) -> Option<String> {
    let age = now.duration_since(state.gated_at?);
    (age > GATES_HOLD).then(|| {
        format!(
            "its gates passed {} s ago, which says nothing about now",
            age.as_secs()
        )
    })
}

async fn wait(state: &State, ports: &Ports<'_>) -> Event {
    let change = &state.change;
    let now = ports.clock.now();
    let granted = SignedDuration::from_secs(change.ready_within_seconds.min(READY_WITHIN_MAX));
    let deadline = deadline(state.applied_at.unwrap_or(now), now, granted);
    let mut watched = Instant::now();
    loop {
        let observed = answer(ports.targets.observe(change.resource)).await;
        let at = ports.clock.now();
        let why = match observed {
            Ok(seen) if seen.generation > change.generation => {
                return Event::Superseded {
                    at,
                    by: seen.generation,
                };
            }
            Ok(seen)
                if seen.was_set_to(change.new, change.generation)
                    && seen.has_settled_at(change.new) =>
            {
                return Event::Ready {
                    at,
                    ready: seen.ready,
                };
            }
            Ok(seen) => not_there(change, seen),
            Err(Away(why)) => why,
        };
        if Instant::now() >= deadline {
            return Event::NotReady { at, why };
        }
        if watched.elapsed() >= WATCH_EVERY {
            watched = Instant::now();
            if let Some(why) = refused_meanwhile(change, ports).await {
                let at = ports.clock.now();
                return Event::NotReady { at, why };
            }
        }
        sleep(LOOK_EVERY).await;
    }
}

fn not_there(change: &Change, seen: Observed) -> String {
    if !seen.was_set_to(change.new, change.generation) {
        return forgotten(change, seen);
    }
    format!(
        "{} of {} {} ready and {} running after {} s",
        seen.ready, change.new, change.resource, seen.running, change.ready_within_seconds
    )
}

fn forgotten(change: &Change, seen: Observed) -> String {
    format!(
        "{} is set to {} by generation {}, not to {} by {}",
        change.resource, seen.desired, seen.generation, change.new, change.generation
    )
}

/// A check that failed while waiting. What merely could not be collected is asked again later.
async fn refused_meanwhile(change: &Change, ports: &Ports<'_>) -> Option<String> {
    let facts = timeout(PROBE_WITHIN, ports.probes.during(change))
        .await
        .unwrap_or_else(|_| DuringFacts::unknown(&silent()));
    gates::during(&facts)
        .refusals()
        .find(|finding| finding.verdict == Verdict::Fail)
        .map(|finding| format!("{}: {}", finding.gate, finding.facts))
}

async fn verify(state: &State, ports: &Ports<'_>) -> Event {
    let change = &state.change;
    let mut backoff = Backoff::default();
    loop {
        let mut report = asked_after(state, ports).await;
        // Looked at last: what the facts say is about this change only if it still owns the target.
        let owner = answer(ports.targets.observe(change.resource)).await;
        let at = ports.clock.now();
        if let Ok(seen) = &owner
            && seen.generation > change.generation
        {
            let by = seen.generation;
            return Event::Superseded { at, by };
        }
        report.findings.extend(disowned(change, &owner));
        if report.passed() {
            return Event::Verified { at, report };
        }
        let certain = owner.is_ok()
            && report
                .refusals()
                .any(|finding| finding.verdict == Verdict::Fail);
        if certain || backoff.is_over(FACTS_WITHIN) {
            return Event::ComplianceFailed { at, report };
        }
        backoff.wait().await;
    }
}

/// What speaks against the target being this change's.
fn disowned(change: &Change, owner: &Result<Observed, Away>) -> Option<Finding> {
    let (verdict, facts) = match owner {
        Ok(seen) if seen.was_set_to(change.new, change.generation) => return None,
        Ok(seen) => (Verdict::Fail, forgotten(change, *seen)),
        Err(Away(why)) => (Verdict::Error, why.clone()),
    };
    Some(Finding {
        gate: Gate::Readiness,
        verdict,
        facts,
    })
}

async fn asked_after(state: &State, ports: &Ports<'_>) -> Report {
    let change = &state.change;
    let Some(baseline) = &state.baseline else {
        unreachable!("a transaction that is verified has passed its gates")
    };
    let applied_at = state.applied_at.unwrap_or(Timestamp::UNIX_EPOCH);
    let asked = ports.probes.after(change, baseline, applied_at);
    let facts = timeout(PROBE_WITHIN, asked)
        .await
        .unwrap_or_else(|_| AfterFacts::unknown(change.new, &silent()));
    gates::after(&facts)
}

/// Goes on until the earlier count is there again, or somebody newer owns the target.
async fn roll_back(state: &State, ports: &Ports<'_>) -> Event {
    let change = &state.change;
    let now = ports.clock.now();
    let stuck_at = deadline(state.rolling_back_since.unwrap_or(now), now, STUCK_AFTER);
    let mut backoff = Backoff::default();
    loop {
        let restored = restore(change, ports).await;
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
        if !state.stuck && Instant::now() >= stuck_at {
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

async fn restore(change: &Change, ports: &Ports<'_>) -> Result<Restored, Away> {
    let generation = change.rollback_generation();
    let set = answer(ports.targets.set(change.resource, change.old, generation)).await?;
    if let Set::Superseded { by } = set {
        return Ok(Restored::Superseded(by));
    }
    let seen = answer(ports.targets.observe(change.resource)).await?;
    if seen.generation > generation {
        return Ok(Restored::Superseded(seen.generation));
    }
    let there = seen.was_set_to(change.old, generation) && seen.has_settled_at(change.old);
    Ok(if there {
        Restored::Yes
    } else {
        Restored::NotYet(format!(
            "{} of {} {} ready and {} running",
            seen.ready, change.old, change.resource, seen.running
        ))
    })
}

fn silent() -> String {
    format!("not collected within {} s", PROBE_WITHIN.as_secs())
}
