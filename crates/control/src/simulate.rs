//! A world in memory for scaling transactions, in which everything goes wrong that a seed wants: unreachable and forgetful
//! parts, lost and late answers, crashes, clocks that jump, several executors at once, newer owners. After each run the
//! [invariants](Invariant) are checked.
//!
//! Time is the runtime's. Give a run a current-thread runtime of its own whose time is paused (`start_paused`, of tokio's
//! feature `test-util`): then minutes take milliseconds, and the same seed is the same run.

mod chance;
mod facts;
mod invariants;
mod ledger;
mod script;
mod seat;
mod story;
mod target;
mod world;

use std::{collections::BTreeMap, fmt, time::Duration};

pub use invariants::{Breach, Invariant, check};
pub use ledger::{Entry, Ledger, Log};
pub use script::{Asked, Call, Fate, Fault, Newer, Script};
pub use seat::Seat;
pub use story::run;
pub use target::{Taken, Target};
pub use world::{Things, World};

/// What came of one seed.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub seed: u64,
    pub logs: Vec<Log>,
    pub executors: usize,
    /// Lives of executors that ended in a crash.
    pub crashes: usize,
    /// Until the last transaction had ended.
    pub simulated: Duration,
    pub breaches: Vec<Breach>,
}

impl Outcome {
    #[must_use]
    pub fn holds(&self) -> bool {
        self.breaches.is_empty()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "seed {}: {} executors, {} crashes, {} s",
            self.seed,
            self.executors,
            self.crashes,
            self.simulated.as_secs()
        )?;
        for log in &self.logs {
            let change = &log.change;
            writeln!(
                f,
                "  {} {} → {} by {}: {}",
                change.resource,
                change.old,
                change.new,
                change.generation,
                log.names().join(", ")
            )?;
        }
        for breach in &self.breaches {
            writeln!(f, "  BROKEN {breach}")?;
        }
        Ok(())
    }
}

/// What came of many seeds.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    pub runs: u64,
    pub transactions: u64,
    pub crashes: u64,
    /// How many transactions ended in each phase.
    pub ends: BTreeMap<&'static str, u64>,
    pub events: BTreeMap<&'static str, u64>,
    pub simulated: Duration,
    pub broken: Vec<u64>,
}

impl Summary {
    pub fn add(&mut self, outcome: &Outcome) {
        self.runs += 1;
        self.crashes += outcome.crashes as u64;
        self.simulated += outcome.simulated;
        for log in &outcome.logs {
            self.transactions += 1;
            for name in log.names() {
                *self.events.entry(name).or_default() += 1;
            }
            let end = log.state().map_or("corrupt", |state| state.phase.as_str());
            *self.ends.entry(end).or_default() += 1;
        }
        if !outcome.holds() {
            self.broken.push(outcome.seed);
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = |counts: &BTreeMap<&'static str, u64>| {
            let each: Vec<String> = counts
                .iter()
                .map(|(name, count)| format!("{count} {name}"))
                .collect();
            each.join(", ")
        };
        write!(
            f,
            "{} runs, {} crashes, {} h simulated\n{} transactions: {}\nevents: {}\n{} broken",
            self.runs,
            self.crashes,
            self.simulated.as_secs() / 3600,
            self.transactions,
            listed(&self.ends),
            listed(&self.events),
            self.broken.len()
        )
    }
}
