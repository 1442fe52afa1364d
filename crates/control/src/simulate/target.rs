//! A target: a count, the generation that set it, and instances that follow.

use std::time::Duration;

use super::script::Fate;
use crate::ports::{Observed, Set};

const DRAINS_FOR: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, Debug)]
struct Instance {
    ready_at: Option<Duration>,
    dies_at: Option<Duration>,
}

/// A count that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    pub count: i32,
    pub generation: i64,
}

#[derive(Debug, Default)]
pub struct Target {
    pub desired: i32,
    pub generation: i64,
    /// Everything that was ever taken, in its order.
    pub taken: Vec<Taken>,
    instances: Vec<Instance>,
    leave_at: Vec<Duration>,
}

impl Target {
    #[must_use]
    pub fn with(count: i32) -> Self {
        let ready = Instance {
            ready_at: Some(Duration::ZERO),
            dies_at: None,
        };
        Self {
            desired: count,
            taken: vec![Taken {
                count,
                generation: 0,
            }],
            instances: vec![ready; usize::try_from(count).unwrap_or(0)],
            ..Self::default()
        }
    }

    pub fn set(&mut self, count: i32, generation: i64) -> Set {
        if generation < self.generation {
            return Set::Superseded {
                by: self.generation,
            };
        }
        self.desired = count;
        self.generation = generation;
        self.taken.push(Taken { count, generation });
        Set::Done
    }

    /// Lets the instances follow what is desired.
    pub fn follow(&mut self, now: Duration, calm: bool, mut fate: impl FnMut() -> Fate) {
        let wanted = usize::try_from(self.desired).unwrap_or(0);
        if calm {
            for instance in &mut self.instances {
                instance.ready_at = Some(instance.ready_at.unwrap_or(now));
                instance.dies_at = None;
            }
        }
        self.instances
            .retain(|instance| instance.dies_at.is_none_or(|at| at > now));
        self.leave_at.retain(|at| *at > now);
        while self.instances.len() > wanted {
            self.instances.pop();
            self.leave_at.push(now + DRAINS_FOR);
        }
        while self.instances.len() < wanted {
            let fate = fate();
            self.instances.push(Instance {
                ready_at: fate.ready_after.map(|after| now + after),
                dies_at: fate.dies_after.map(|after| now + after),
            });
        }
    }

    #[must_use]
    pub fn observe(&self, now: Duration) -> Observed {
        let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
        Observed {
            desired: self.desired,
            generation: self.generation,
            running: count(self.instances.len() + self.leave_at.len()),
            ready: count(self.readiness(now).filter(|ready| *ready).count()),
        }
    }

    /// Of each instance, whether it is ready.
    pub fn readiness(&self, now: Duration) -> impl Iterator<Item = bool> {
        self.instances
            .iter()
            .map(move |instance| instance.ready_at.is_some_and(|at| at <= now))
    }
}
