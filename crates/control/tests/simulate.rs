//! The simulated world, for many seeds. `HYSIO_SIMULATE_SEEDS` says how many; see also the example `simulate`.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use hysio_control::simulate::{Outcome, Summary, run};

const SEEDS: u64 = 400;

fn paused(seed: u64) -> Outcome {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(run(seed))
}

#[test]
fn whatever_goes_wrong_the_invariants_hold() {
    let seeds = std::env::var("HYSIO_SIMULATE_SEEDS")
        .map_or(SEEDS, |seeds| seeds.parse().expect("a number of seeds"));
    let mut summary = Summary::default();
    for seed in 0..seeds {
        let outcome = paused(seed);
        assert!(outcome.holds(), "{outcome}");
        summary.add(&outcome);
    }
    // A simulation in which nothing goes wrong shows nothing: every event and every end must have been seen.
    for event in [
        "initiated",
        "gates_passed",
        "gate_refused",
        "applied",
        "not_applied",
        "ready",
        "not_ready",
        "verified",
        "compliance_failed",
        "rolled_back",
        "stuck",
        "superseded",
    ] {
        assert!(
            seeds < SEEDS || summary.events.contains_key(event),
            "no {event} in {summary}"
        );
    }
    assert!(seeds < SEEDS || summary.crashes > seeds, "{summary}");
}

#[test]
fn seeds_that_once_broke_something_hold() {
    for line in include_str!("seeds.txt").lines() {
        if let Ok(seed) = line.trim().parse() {
            let outcome = paused(seed);
            assert!(outcome.holds(), "{outcome}");
        } else {
            assert!(line.is_empty() || line.starts_with('#'), "{line}");
        }
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..20 {
        let (first, second) = (paused(seed), paused(seed));
        assert_eq!(first.to_string(), second.to_string());
        for (one, other) in first.logs.iter().zip(&second.logs) {
            assert_eq!(one.events, other.events);
        }
    }
}
