//! Faults drawn from a seed. Which kinds happen at all, and how often, is drawn first: a run that has a few kinds often
//! finds more than one that has all of them rarely.

use std::time::Duration;

use fastrand::Rng;

use super::script::{Asked, Call, Fate, Fault, Script};

/// Calls that share their faults and their outages.
#[derive(Clone, Copy, Debug)]
enum Side {
    Target,
    Probes,
    Log,
}

#[derive(Clone, Debug, Default)]
struct Trouble {
    /// Of a hundred thousand calls.
    often: u32,
    kinds: Vec<Fault>,
    away: Vec<(Duration, Duration)>,
}

pub(super) struct Chance {
    rng: Rng,
    calm_from: Duration,
    sides: [Trouble; 3],
    never_ready: f64,
    dies: f64,
}

impl Chance {
    pub(super) fn new(mut rng: Rng, calm_from: Duration) -> Self {
        let sides = [(); 3].map(|()| trouble(&mut rng, calm_from));
        let share = |rng: &mut Rng| if rng.bool() { rng.f64() * 0.2 } else { 0.0 };
        Self {
            never_ready: share(&mut rng),
            dies: share(&mut rng),
            sides,
            calm_from,
            rng,
        }
    }
}

fn trouble(rng: &mut Rng, until: Duration) -> Trouble {
    let mut trouble = Trouble {
        often: [0, 1_000, 5_000, 20_000, 50_000][rng.usize(0..5)],
        ..Trouble::default()
    };
    let slow = Duration::from_millis(rng.u64(1..20_000));
    let late = Duration::from_millis(rng.u64(1..60_000));
    for kind in [
        Fault::Away,
        Fault::Lost,
        Fault::Twice,
        Fault::Late(late),
        Fault::Slow(slow),
        Fault::Silent,
        Fault::CrashBefore,
        Fault::CrashAfter,
        Fault::Refused,
    ] {
        if rng.u8(0..3) == 0 {
            trouble.kinds.push(kind);
        }
    }
    for _ in 0..rng.usize(0..3) {
        let from = Duration::from_secs_f64(until.as_secs_f64() * rng.f64());
        trouble
            .away
            .push((from, from + Duration::from_secs(rng.u64(1..150))));
    }
    trouble
}

impl Script for Chance {
    fn fault(&mut self, asked: Asked<'_>) -> Fault {
        if self.calm(asked.at) {
            return Fault::None;
        }
        let side = match asked.call {
            Call::Observe | Call::Set { .. } => Side::Target,
            Call::Before | Call::During | Call::After => Side::Probes,
            Call::Append(_) | Call::Read | Call::Begin | Call::Unfinished => Side::Log,
        };
        // Targets are looked at twenty times a second, and everything else now and then.
        let rarer = if matches!(asked.call, Call::Observe) {
            20
        } else {
            1
        };
        let trouble = &self.sides[side as usize];
        if trouble
            .away
            .iter()
            .any(|(from, to)| (*from..*to).contains(&asked.at))
        {
            return Fault::Away;
        }
        if trouble.kinds.is_empty() || self.rng.u32(0..100_000) >= trouble.often / rarer {
            return Fault::None;
        }
        trouble.kinds[self.rng.usize(0..trouble.kinds.len())]
    }

    fn fate(&mut self, at: Duration) -> Fate {
        if self.calm(at) {
            return Fate::GOOD;
        }
        let ready = self.rng.f64() >= self.never_ready;
        let dies = self.rng.f64() < self.dies;
        Fate {
            ready_after: ready.then(|| Duration::from_millis(self.rng.u64(0..8_000))),
            dies_after: dies.then(|| Duration::from_millis(self.rng.u64(0..30_000))),
        }
    }

    fn calm(&self, at: Duration) -> bool {
        at >= self.calm_from
    }
}
