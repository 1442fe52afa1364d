//! A transaction that is to end in a certain way, with at most one thing that goes wrong beside.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use fastrand::Rng;
use hysio_control::{
    ports::{TransactionLog, Wish},
    run::carry_on,
    simulate::{Asked, Breach, Call, Fate, Fault, Log, Newer, Script, Seat, World, check},
    transaction::Phase,
};
use hysio_scaling::Resource;
use tokio::{task::JoinSet, time::sleep};

const RESOURCE: Resource = Resource::TranscriptionWorkers;
pub const OLD: i32 = 2;
pub const NEW: i32 = 5;
/// The first change's.
const GENERATION: i64 = 2;
/// Everything has long ended by then, and whatever was never ready gets ready.
const CALM_FROM: Duration = Duration::from_secs(3_600);

/// How the transaction ends when nothing else happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Completes,
    GateRefused,
    NotApplied,
    NotReady,
    ComplianceFailed,
    StuckThenRolledBack,
    /// Completes, unless somebody takes over: his gates do not pass.
    TakeoverRefused,
}

impl Kind {
    pub const ALL: [Self; 7] = [
        Self::Completes,
        Self::GateRefused,
        Self::NotApplied,
        Self::NotReady,
        Self::ComplianceFailed,
        Self::StuckThenRolledBack,
        Self::TakeoverRefused,
    ];
}

#[derive(Clone, Debug)]
pub struct Scene {
    pub kind: Kind,
    /// Somebody newer, who comes before the step of this phase is begun.
    pub newer: Option<(Phase, Newer)>,
    /// What goes wrong with the call of this number, counted from 0.
    pub fault: Option<(usize, Fault)>,
    pub executors: usize,
    /// Calls take up to 400 ms, drawn from this seed.
    pub latency: Option<u64>,
}

impl Scene {
    pub fn of(kind: Kind) -> Self {
        Self {
            kind,
            newer: None,
            fault: None,
            executors: 1,
            latency: None,
        }
    }

    /// Each kind alone, and with each newer owner before each step.
    pub fn all() -> Vec<Self> {
        let phases = Phase::ALL.into_iter().filter(|phase| !phase.is_end());
        let newer = phases.flat_map(|phase| {
            [Newer::Sets(4), Newer::TakesOver(4)].map(|newer| Some((phase, newer)))
        });
        let newer: Vec<_> = [None].into_iter().chain(newer).collect();
        Kind::ALL
            .into_iter()
            .flat_map(|kind| {
                newer.iter().map(move |newer| Self {
                    newer: *newer,
                    ..Self::of(kind)
                })
            })
            .collect()
    }
}

/// What is left when all is over.
#[derive(Clone, Debug)]
pub struct Played {
    pub logs: Vec<Vec<&'static str>>,
    pub desired: i32,
    pub ready: i32,
    pub calls: Vec<Seen>,
    pub breaches: Vec<Breach>,
}

impl Played {
    pub fn result(&self) -> (&[Vec<&'static str>], i32, i32) {
        (&self.logs, self.desired, self.ready)
    }
}

pub type Seen = (&'static str, Option<Phase>);

pub fn play(scene: &Scene) -> Played {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(play_now(scene))
}

async fn play_now(scene: &Scene) -> Played {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let director = Director {
        scene: scene.clone(),
        calls: Arc::clone(&calls),
        newer_came: false,
        rolling_back_since: None,
        rng: scene.latency.map(Rng::with_seed),
    };
    let world = World::new(&[(RESOURCE, OLD)], Box::new(director));
    let wish = Wish {
        resource: RESOURCE,
        new: NEW,
        justification: "47 dictations wait".into(),
        user: "scaler".into(),
        pid: 1,
        plan: None,
        ready_within_seconds: 30,
        supersede: false,
    };
    Seat::new(&world, usize::MAX).begin(&wish).await.unwrap();
    let mut executors = JoinSet::new();
    for executor in 0..scene.executors {
        executors.spawn(carry_all_on(Arc::clone(&world), executor));
    }
    executors.join_all().await;
    // Something may still be on its way, and what somebody newer has set settles.
    sleep(CALM_FROM).await;
    let things = world.things();
    let seen = things.observe(RESOURCE);
    Played {
        logs: things.ledger.logs.iter().map(Log::names).collect(),
        desired: seen.desired,
        ready: seen.ready,
        calls: calls.lock().unwrap().clone(),
        breaches: check(&things),
    }
}

/// Starts again after each crash, until everything has ended.
async fn carry_all_on(world: Arc<World>, executor: usize) {
    for _ in 0..100 {
        let unfinished = world.things().ledger.unfinished();
        if unfinished.is_empty() {
            return;
        }
        let seat = Seat::new(&world, executor);
        for id in unfinished {
            let _ended = seat.live(carry_on(id, &seat.ports())).await;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("not ended after 100 lives");
}

struct Director {
    scene: Scene,
    calls: Arc<Mutex<Vec<Seen>>>,
    newer_came: bool,
    rolling_back_since: Option<Duration>,
    rng: Option<Rng>,
}

impl Script for Director {
    fn newer(&mut self, asked: Asked<'_>) -> Option<Newer> {
        let (phase, newer) = self.scene.newer?;
        let works = !matches!(asked.call, Call::Read | Call::Append(_) | Call::Begin);
        if asked.phase != Some(phase) || !works {
            return None;
        }
        self.scene.newer = None;
        self.newer_came = true;
        Some(newer)
    }

    fn fault(&mut self, asked: Asked<'_>) -> Fault {
        let mut calls = self.calls.lock().unwrap();
        let number = calls.len();
        calls.push((asked.call.name(), asked.phase));
        drop(calls);
        let planned = self.planned(asked);
        if let Some((at, fault)) = self.scene.fault
            && at == number
        {
            // An answer that is slow, or given twice, is still what it was to be.
            let answers = matches!(fault, Fault::Slow(_) | Fault::Twice);
            return if answers && planned != Fault::None {
                planned
            } else {
                fault
            };
        }
        match (&mut self.rng, planned) {
            (Some(rng), Fault::None) => Fault::Slow(Duration::from_millis(rng.u64(0..400))),
            (_, planned) => planned,
        }
    }

    fn calm(&self, at: Duration) -> bool {
        at >= CALM_FROM
    }

    fn fate(&mut self, _: Duration) -> Fate {
        match self.scene.kind {
            Kind::NotReady | Kind::StuckThenRolledBack => Fate {
                ready_after: None,
                dies_after: None,
            },
            _ => Fate::GOOD,
        }
    }
}

impl Director {
    fn planned(&mut self, asked: Asked<'_>) -> Fault {
        if asked.phase == Some(Phase::RollingBack) {
            self.rolling_back_since.get_or_insert(asked.at);
        }
        let long_rolled_back = self
            .rolling_back_since
            .is_some_and(|since| asked.at >= since + Duration::from_secs(200));
        match (self.scene.kind, asked.call) {
            (Kind::GateRefused, Call::Before) | (Kind::ComplianceFailed, Call::After) => {
                Fault::Refused
            }
            (Kind::TakeoverRefused, Call::Before) if self.newer_came => Fault::Refused,
            (
                Kind::NotApplied,
                Call::Set {
                    generation: GENERATION,
                    ..
                },
            ) => Fault::Away,
            (Kind::StuckThenRolledBack, Call::Set { .. } | Call::Observe)
                if asked.phase == Some(Phase::RollingBack) && !long_rolled_back =>
            {
                Fault::Away
            }
            _ => Fault::None,
        }
    }
}
