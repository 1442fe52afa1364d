//! The world: targets, the log, what has yet to happen, and what must never be seen.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hysio_scaling::Resource;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::{
    invariants::{Breach, Invariant},
    ledger::{Ledger, Log},
    script::{Asked, Call, Fault, Newer, Script},
    target::Target,
};
use crate::{
    ports::{Observed, Set, Wish},
    transaction::{Phase, TransactionId},
};

/// Where simulated time begins: 2024-01-01T00:00:00Z.
const EPOCH_SECOND: i64 = 1_704_067_200;

type Act = Box<dyn FnOnce(&mut Things) + Send>;

/// Shared by all executors.
pub struct World {
    started: Instant,
    things: Mutex<Things>,
}

pub struct Things {
    pub targets: BTreeMap<Resource, Target>,
    pub ledger: Ledger,
    /// What was set by somebody who has no log here, and taken.
    pub foreign: Vec<(Resource, i64, i32)>,
    /// Transactions for which the world found gates to hold before, and after.
    pub held_before: Vec<TransactionId>,
    pub held_after: Vec<TransactionId>,
    pub breaches: Vec<Breach>,
    pub now: Duration,
    late: Vec<(Duration, Act)>,
    script: Box<dyn Script>,
}

impl World {
    /// Begins now, in the time of the runtime.
    #[must_use]
    pub fn new(targets: &[(Resource, i32)], script: Box<dyn Script>) -> Arc<Self> {
        let targets = targets
            .iter()
            .map(|(resource, count)| (*resource, Target::with(*count)))
            .collect();
        Arc::new(Self {
            started: Instant::now(),
            things: Mutex::new(Things {
                targets,
                ledger: Ledger::default(),
                foreign: Vec::new(),
                held_before: Vec::new(),
                held_after: Vec::new(),
                breaches: Vec::new(),
                now: Duration::ZERO,
                late: Vec::new(),
                script,
            }),
        })
    }

    /// Everything as it is now.
    pub fn things(&self) -> MutexGuard<'_, Things> {
        let mut things = self.things.lock().unwrap_or_else(PoisonError::into_inner);
        things.pass_to(self.started.elapsed());
        things
    }

    pub(super) fn fault(
        &self,
        call: Call<'_>,
        executor: usize,
        about: Option<TransactionId>,
    ) -> Fault {
        let mut things = self.things();
        let asked = Asked {
            call,
            executor,
            phase: about.and_then(|id| things.phase(id)),
            at: things.now,
        };
        if let Some(newer) = things.script.newer(asked)
            && let Some(id) = about
        {
            things.somebody_newer(id, newer);
        }
        things.script.fault(asked)
    }

    /// Right time: that of nobody's clock.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        timestamp(self.started.elapsed())
    }
}

fn timestamp(since_start: Duration) -> Timestamp {
    let since_start = SignedDuration::try_from(since_start).unwrap_or(SignedDuration::MAX);
    Timestamp::from_second(EPOCH_SECOND)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .saturating_add(since_start)
        .unwrap_or(Timestamp::MAX)
}

impl Things {
    fn pass_to(&mut self, now: Duration) {
        let (mut due, later) = std::mem::take(&mut self.late)
            .into_iter()
            .partition::<Vec<_>, _>(|(at, _)| *at <= now);
        self.late = later;
        due.sort_by_key(|(at, _)| *at);
        for (at, act) in due {
            self.now = at;
            act(self);
        }
        self.now = now;
        let calm = self.script.calm(now);
        for target in self.targets.values_mut() {
            target.follow(now, calm, || self.script.fate(now));
        }
    }

    pub(super) fn later(&mut self, after: Duration, act: Act) {
        self.late.push((self.now + after, act));
    }

    fn phase(&self, id: TransactionId) -> Option<Phase> {
        Some(self.ledger.log(id)?.state()?.phase)
    }

    /// The newest transaction of a target.
    #[must_use]
    pub fn newest(&self, resource: Resource) -> Option<&Log> {
        let mut logs = self.ledger.logs.iter().rev();
        logs.find(|log| log.change.resource == resource)
    }

    #[must_use]
    pub fn observe(&self, resource: Resource) -> Observed {
        self.targets
            .get(&resource)
            .map(|target| target.observe(self.now))
            .unwrap_or_default()
    }

    /// As an executor does, who must have the right to.
    pub(super) fn set(&mut self, resource: Resource, count: i32, generation: i64) -> Set {
        if let Some(why) = self.forbidden(resource, count, generation) {
            self.breach(Invariant::GatesAreNotSkipped, why);
        }
        let now = self.now;
        let Some(target) = self.targets.get_mut(&resource) else {
            return Set::Superseded { by: i64::MAX };
        };
        let set = target.set(count, generation);
        let calm = self.script.calm(now);
        target.follow(now, calm, || self.script.fate(now));
        set
    }

    fn forbidden(&self, resource: Resource, count: i32, generation: i64) -> Option<String> {
        let log = self.ledger.logs.iter().find(|log| {
            let change = &log.change;
            change.resource == resource
                && (change.generation, change.new) == (generation, count)
                && log.has("gates_passed")
                || (change.rollback_generation(), change.old) == (generation, count)
                    && log
                        .names()
                        .iter()
                        .any(|name| ROLLBACK_FOLLOWS.contains(name))
        });
        log.is_none().then(|| {
            format!("{resource} is set to {count} by {generation}, which no log gives the right to")
        })
    }

    /// Sets the target as somebody does who is not of this system.
    pub fn set_by_somebody_else(&mut self, resource: Resource, count: i32) {
        let Some(target) = self.targets.get_mut(&resource) else {
            return;
        };
        let generation = self.ledger.next_generation(target.generation);
        if target.set(count, generation) == Set::Done {
            self.foreign.push((resource, generation, count));
        }
    }

    fn somebody_newer(&mut self, id: TransactionId, newer: Newer) {
        let Some(change) = self.ledger.log(id).map(|log| log.change.clone()) else {
            return;
        };
        match newer {
            Newer::Sets(count) => self.set_by_somebody_else(change.resource, count),
            Newer::TakesOver(new) => {
                let wish = Wish {
                    resource: change.resource,
                    new,
                    justification: "an emergency".to_owned(),
                    user: "somebody newer".to_owned(),
                    pid: 2,
                    plan: None,
                    ready_within_seconds: change.ready_within_seconds,
                    supersede: true,
                };
                self.begin(&wish);
            }
        }
    }

    pub(super) fn begin(&mut self, wish: &Wish) -> crate::ports::Begun {
        let target = self.observe(wish.resource);
        let at = timestamp(self.now);
        self.ledger
            .begin(wish, target.desired, target.generation, at)
    }

    pub(super) fn breach(&mut self, invariant: Invariant, what: String) {
        self.breaches.push(Breach { invariant, what });
    }
}

/// After each of these, the earlier count may be set again.
const ROLLBACK_FOLLOWS: [&str; 4] = [
    "gate_refused",
    "not_applied",
    "not_ready",
    "compliance_failed",
];
