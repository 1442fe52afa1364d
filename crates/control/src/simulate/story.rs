//! One seed's run: wishes come, executors live and die, somebody newer sets targets, clocks jump; then all is calm, and
//! everything has to end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use hysio_scaling::Resource;
use jiff::SignedDuration;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{Outcome, chance::Chance, invariants::check, seat::Seat, world::World};
use crate::{
    ports::{TransactionLog, Wish},
    run::carry_on,
};

const RESOURCES: [Resource; 2] = [Resource::TranscriptionWorkers, Resource::AppInstances];
/// Long enough for every wait of every transaction that is left, one after the other.
const ENDS_WITHIN: Duration = Duration::from_secs(900);
const LOOKS_EVERY: Duration = Duration::from_millis(500);

/// Everything that happens follows from the seed.
pub async fn run(seed: u64) -> Outcome {
    let mut rng = Rng::with_seed(seed);
    let calm_from = Duration::from_secs(rng.u64(20..240));
    let targets: Vec<(Resource, i32)> = RESOURCES[..rng.usize(1..=2)]
        .iter()
        .map(|resource| (*resource, rng.i32(0..6)))
        .collect();
    let script = Box::new(Chance::new(rng.fork(), calm_from));
    let world = World::new(&targets, script);
    let executors = rng.usize(1..=3);
    let crashes = Arc::new(AtomicUsize::new(0));

    let mut tasks = JoinSet::new();
    for executor in 0..executors {
        let executor = Executor {
            number: executor,
            world: Arc::clone(&world),
            crashes: Arc::clone(&crashes),
            dies: rng.bool(),
            clock_jumps: rng.u8(0..4) == 0,
            calm_from,
            rng: rng.fork(),
        };
        tasks.spawn(executor.go_on());
    }
    for (resource, _) in targets {
        tasks.spawn(wish(Arc::clone(&world), resource, calm_from, rng.fork()));
        if rng.u8(0..4) == 0 {
            tasks.spawn(meddle(Arc::clone(&world), resource, calm_from, rng.fork()));
        }
    }
    sleep(calm_from).await;
    let ended = timeout(ENDS_WITHIN, all_end(&world)).await;
    tasks.shutdown().await;

    let things = world.things();
    let mut breaches = check(&things);
    if ended.is_err() && breaches.is_empty() {
        breaches.push(super::Breach {
            invariant: super::Invariant::EverythingEnds,
            what: "not settled".to_owned(),
        });
    }
    Outcome {
        seed,
        logs: things.ledger.logs.clone(),
        executors,
        crashes: crashes.load(Ordering::Relaxed),
        simulated: things.now,
        breaches,
    }
}

/// Until no transaction is live and instances have followed, and a while longer: something may still be on its way.
async fn all_end(world: &World) {
    while !world.things().ledger.unfinished().is_empty() {
        sleep(LOOKS_EVERY).await;
    }
    sleep(Duration::from_secs(90)).await;
}

struct Executor {
    number: usize,
    world: Arc<World>,
    crashes: Arc<AtomicUsize>,
    dies: bool,
    clock_jumps: bool,
    calm_from: Duration,
    rng: Rng,
}

impl Executor {
    async fn go_on(mut self) {
        loop {
            let seat = Seat::new(&self.world, self.number);
            let left = self.calm_from.saturating_sub(self.world.things().now);
            let life = if left.is_zero() {
                Duration::MAX
            } else if self.dies {
                Duration::from_millis(self.rng.u64(1..60_000)).min(left)
            } else {
                left
            };
            let jumps = jump(&seat, self.clock_jumps, self.rng.fork());
            let work = async {
                tokio::select! {
                    biased;
                    () = jumps => {}
                    () = self.carry_all_on(&seat) => {}
                }
            };
            let lived = timeout(life, seat.live(work)).await;
            if !matches!(lived, Ok(Some(()))) {
                self.crashes.fetch_add(1, Ordering::Relaxed);
            }
            let pause = [10, 1_000, 20_000, 400_000][self.rng.usize(0..4)];
            let left = self.calm_from.saturating_sub(self.world.things().now);
            sleep(Duration::from_millis(self.rng.u64(0..pause)).min(left)).await;
        }
    }

    async fn carry_all_on(&self, seat: &Seat) {
        loop {
            let Ok(Ok(ids)) = timeout(Duration::from_secs(15), seat.unfinished()).await else {
                sleep(LOOKS_EVERY).await;
                continue;
            };
            for id in ids {
                // Whatever interrupts it: it is carried on the next time.
                drop(carry_on(id, &seat.ports()).await);
            }
            sleep(LOOKS_EVERY).await;
        }
    }
}

/// Sets the clock now and then, forever.
async fn jump(seat: &Seat, jumps: bool, mut rng: Rng) {
    if !jumps {
        return std::future::pending().await;
    }
    loop {
        let farthest = [2, 60, 7200][rng.usize(0..3)];
        seat.set_clock_ahead(SignedDuration::from_secs(rng.i64(-farthest..farthest)));
        sleep(Duration::from_millis(rng.u64(1..30_000))).await;
    }
}

/// Somebody who wants a few changes, some of them at once.
async fn wish(world: Arc<World>, resource: Resource, until: Duration, mut rng: Rng) {
    let seat = Seat::new(&world, usize::MAX);
    for _ in 0..rng.usize(1..5) {
        let wish = Wish {
            resource,
            new: rng.i32(0..8),
            justification: "47 dictations wait".to_owned(),
            user: "scaler".to_owned(),
            pid: 1,
            plan: None,
            ready_within_seconds: rng.i64(5..60),
            supersede: rng.u8(0..3) == 0,
        };
        let begun = seat.live(timeout(Duration::from_secs(15), seat.begin(&wish)));
        drop(begun.await);
        sleep(until.mul_f64(rng.f64() / 3.0)).await;
    }
}

/// Somebody who is not of this system and sets the target with a higher generation.
async fn meddle(world: Arc<World>, resource: Resource, until: Duration, mut rng: Rng) {
    for _ in 0..rng.usize(1..3) {
        sleep(until.mul_f64(rng.f64() / 2.0)).await;
        world.things().set_by_somebody_else(resource, rng.i32(0..8));
    }
}
