use super::*;

fn settings() -> Settings {
    Settings {
        seed: 1,
        service: Service::Gamma { mean: 1.0, cv: 1.0 },
        objective_seconds: 5.0,
        replicas_at_start: 4,
        startup_seconds: 60.0,
        drain_seconds: 30.0,
        failures_a_day: 0.0,
        quota: 100,
        chaos: Vec::new(),
    }
}

fn chaos(from: u32, ticks: u32, kind: Kind) -> Settings {
    Settings {
        chaos: vec![Chaos { from, ticks, kind }],
        ..settings()
    }
}

/// Runs with a number of replicas that never changes.
fn run(settings: Settings, ticks: u32, rate: f64, replicas: u32) -> World {
    let mut world = World::new(settings);
    for _ in 0..ticks {
        world.step(rate, |_| replicas);
    }
    world
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_does_not() {
    let of = |seed| {
        let settings = Settings {
            seed,
            failures_a_day: 20.0,
            ..settings()
        };
        let mut world = World::new(settings);
        for tick in 0..5_000 {
            world.step(2.0 + f64::from(tick % 100) / 50.0, |seen| {
                2 + (seen.load.unwrap().queue / 5.0) as u32
            });
        }
        serde_json::to_string(&world.totals()).unwrap()
    };
    assert_eq!(of(3), of(3));
    assert_ne!(of(3), of(4));
}

#[test]
fn no_job_is_lost_or_made() {
    let world = run(
        Settings {
            failures_a_day: 50.0,
            ..settings()
        },
        4_000,
        3.0,
        4,
    );
    let totals = world.totals();
    assert!((totals.arrived - totals.done - world.jobs).abs() < 1e-3);
    assert!(totals.failures > 0);
}

#[test]
fn enough_replicas_are_late_only_by_service_and_too_few_always_in_the_end() {
    let enough = run(settings(), 4_000, 2.0, 8).totals();
    // exp(−5)
    assert!(
        (enough.late_share() - 0.0067).abs() < 0.01,
        "{}",
        enough.late_share()
    );
    let few = run(settings(), 4_000, 6.0, 4).totals();
    assert!(few.late_share() > 0.95, "{}", few.late_share());
}

#[test]
fn a_replica_is_ready_after_its_start_and_paid_until_it_is_drained() {
    let mut world = World::new(settings());
    let mut ready = Vec::new();
    for tick in 0..12 {
        world.step(1.0, |_| if tick < 6 { 6 } else { 3 });
        ready.push((world.ready(), world.fleet.paid()));
    }
    assert_eq!(ready[3], (4, 6));
    assert_eq!(ready[4], (6, 6));
    assert_eq!(ready[6], (3, 6));
    assert_eq!(ready[8], (3, 3));
}

#[test]
fn an_outage_hides_the_load_and_nothing_else() {
    let mut world = World::new(chaos(10, 5, Kind::MetricOutage));
    for tick in 0..20 {
        world.step(1.0, |seen| {
            assert_eq!(seen.load.is_none(), (10..15).contains(&tick));
            assert_eq!(seen.ready, 4);
            4
        });
    }
}

#[test]
fn a_quota_refuses_and_says_so() {
    let totals = run(chaos(0, 50, Kind::QuotaHit(5)), 50, 1.0, 9);
    assert_eq!(totals.ready(), 5);
    assert_eq!(totals.totals().refused, 50);
}

#[test]
fn a_lost_zone_takes_its_share_at_once_and_is_replaced_after_a_start() {
    let mut world = World::new(chaos(10, 1, Kind::LostZone(0.5)));
    let mut ready = Vec::new();
    for _ in 0..20 {
        world.step(1.0, |_| 4);
        ready.push(world.ready());
    }
    assert_eq!((ready[9], ready[10], ready[13], ready[14]), (4, 2, 2, 4));
}

#[test]
fn slow_starts_are_slow_and_a_surge_is_more() {
    let ready_at = |settings: Settings| {
        let mut world = World::new(settings);
        (0..100).find(|_| {
            world.step(1.0, |_| 8);
            world.ready() == 8
        })
    };
    assert_eq!(ready_at(settings()), Some(4));
    assert_eq!(ready_at(chaos(0, 100, Kind::SlowStarts(5.0))), Some(20));
}
