//! What is carried on later, by somebody who finds the world changed.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use std::{sync::Arc, time::Duration};

use hysio_control::{
    ports::{Begun, TransactionLog, Wish},
    run::carry_on,
    simulate::{Asked, Fate, Fault, Script, Seat, World, check},
    transaction::TransactionId,
};
use hysio_scaling::Resource;
use jiff::SignedDuration;
use tokio::time::{sleep, timeout};

const RESOURCE: Resource = Resource::AppInstances;

/// The first executor ends before the first call of this name is answered.
struct CrashAt(Option<&'static str>);

impl Script for CrashAt {
    fn fault(&mut self, asked: Asked<'_>) -> Fault {
        if self.0 == Some(asked.call.name()) {
            self.0 = None;
            return Fault::CrashBefore;
        }
        Fault::None
    }
}

fn wish(new: i32) -> Wish {
    Wish {
        resource: RESOURCE,
        new,
        justification: "a quiet night".into(),
        user: "scaler".into(),
        pid: 1,
        plan: None,
        ready_within_seconds: 30,
        supersede: false,
    }
}

async fn crashed_at(call: &'static str, old: i32, new: i32) -> (Arc<World>, TransactionId) {
    let world = World::new(&[(RESOURCE, old)], Box::new(CrashAt(Some(call))));
    let seat = Seat::new(&world, 0);
    let Begun::Yes(change) = seat.begin(&wish(new)).await.unwrap() else {
        panic!("nothing else is in flight")
    };
    assert!(
        seat.live(carry_on(change.id, &seat.ports()))
            .await
            .is_none()
    );
    (world, change.id)
}

async fn carried_on(world: &Arc<World>, id: TransactionId) -> Vec<&'static str> {
    let seat = Seat::new(world, 1);
    carry_on(id, &seat.ports()).await.unwrap();
    world.things().ledger.log(id).unwrap().names()
}

#[tokio::test(start_paused = true)]
async fn gates_that_passed_long_ago_let_nothing_be_applied() {
    let (world, id) = crashed_at("set", 2, 5).await;
    sleep(Duration::from_secs(600)).await;
    assert_eq!(
        carried_on(&world, id).await,
        ["initiated", "gates_passed", "not_applied", "rolled_back"]
    );
    let things = world.things();
    let ever = &things.targets[&RESOURCE].taken;
    assert!(ever.iter().all(|taken| taken.count == 2), "{ever:?}");
    assert_eq!(check(&things), []);
}

#[tokio::test(start_paused = true)]
async fn gates_that_passed_a_minute_ago_are_enough() {
    let (world, id) = crashed_at("set", 2, 5).await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(carried_on(&world, id).await.last(), Some(&"verified"));
}

/// Fewer were asked for, so enough are ready whatever the target does.
#[tokio::test(start_paused = true)]
async fn a_target_that_forgot_what_it_was_told_is_not_verified() {
    let (world, id) = crashed_at("after", 3, 1).await;
    {
        let mut things = world.things();
        let target = things.targets.get_mut(&RESOURCE).unwrap();
        (target.desired, target.generation) = (3, 0);
    }
    assert_eq!(
        carried_on(&world, id).await,
        [
            "initiated",
            "gates_passed",
            "applied",
            "ready",
            "compliance_failed",
            "rolled_back"
        ]
    );
    assert_eq!(world.things().observe(RESOURCE).desired, 3);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_while_waiting_makes_no_wait_longer() {
    for back in [1, 3_600, 864_000] {
        let world = World::new(&[(RESOURCE, 2)], Box::new(NeverReady));
        let seat = Seat::new(&world, 0);
        let Begun::Yes(change) = seat.begin(&wish(5)).await.unwrap() else {
            panic!("nothing else is in flight")
        };
        let set_back = async {
            sleep(Duration::from_secs(10)).await;
            seat.set_clock_ahead(SignedDuration::from_secs(-back));
        };
        let ports = seat.ports();
        let ended = async { tokio::join!(carry_on(change.id, &ports), set_back) };
        timeout(Duration::from_secs(40), ended)
            .await
            .expect("it ends in time")
            .0
            .unwrap();
        let names = world.things().ledger.log(change.id).unwrap().names();
        assert_eq!(names[3..], ["not_ready", "rolled_back"]);
    }
}

struct NeverReady;

impl Script for NeverReady {
    fn fault(&mut self, _: Asked<'_>) -> Fault {
        Fault::None
    }

    fn fate(&mut self, _: Duration) -> Fate {
        Fate {
            ready_after: None,
            dies_after: None,
        }
    }
}
