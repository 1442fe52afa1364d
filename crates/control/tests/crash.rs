//! Whatever one thing goes wrong at whatever moment: the same log, the same capacity. Enumerated, not sampled.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

#[path = "crash/scene.rs"]
mod scene;

use std::{collections::BTreeMap, time::Duration};

use hysio_control::{
    simulate::{Fault, Newer},
    transaction::Phase,
};
use scene::{Kind, NEW, OLD, Played, Scene, Seen, play};

/// Without anything beside, so that the rest is compared with what is meant.
#[test]
fn each_kind_ends_as_it_is_meant_to() {
    let expected: [(Kind, &[&str], i32); 7] = [
        (
            Kind::Completes,
            &["initiated", "gates_passed", "applied", "ready", "verified"],
            NEW,
        ),
        (Kind::GateRefused, &["initiated", "gate_refused"], OLD),
        (
            Kind::NotApplied,
            &["initiated", "gates_passed", "not_applied", "rolled_back"],
            OLD,
        ),
        (
            Kind::NotReady,
            &[
                "initiated",
                "gates_passed",
                "applied",
                "not_ready",
                "rolled_back",
            ],
            OLD,
        ),
        (
            Kind::ComplianceFailed,
            &[
                "initiated",
                "gates_passed",
                "applied",
                "ready",
                "compliance_failed",
                "rolled_back",
            ],
            OLD,
        ),
        (
            Kind::StuckThenRolledBack,
            &[
                "initiated",
                "gates_passed",
                "applied",
                "not_ready",
                "stuck",
                "rolled_back",
            ],
            OLD,
        ),
        (
            Kind::TakeoverRefused,
            &["initiated", "gates_passed", "applied", "ready", "verified"],
            NEW,
        ),
    ];
    for (kind, names, count) in expected {
        let played = play(&Scene::of(kind));
        assert_eq!(played.logs, [names], "{kind:?}");
        assert_eq!((played.desired, played.ready), (count, count), "{kind:?}");
        assert_eq!(played.breaches, [], "{kind:?}");
    }
}

#[test]
fn a_newer_owner_is_given_way_to_before_each_step() {
    let mut gave_way = BTreeMap::<&str, u32>::new();
    for scene in Scene::all() {
        let Some((phase, newer)) = scene.newer else {
            continue;
        };
        let played = play(&scene);
        assert_eq!(played.breaches, [], "{scene:?}");
        let reached = played.calls.iter().any(|(_, at)| *at == Some(phase));
        let ended = played.logs[0].last().copied();
        match newer {
            _ if !reached => assert_eq!(played.logs.len(), 1),
            // Refused before anything was looked at: there is nothing to give way to.
            Newer::Sets(count) if ended == Some("gate_refused") => {
                assert!([Kind::GateRefused, Kind::TakeoverRefused].contains(&scene.kind));
                assert_eq!(played.desired, count);
            }
            Newer::Sets(count) => {
                assert_eq!((ended, played.desired), (Some("superseded"), count));
                *gave_way.entry(phase.as_str()).or_default() += 1;
            }
            Newer::TakesOver(count) => {
                assert_eq!(ended, Some("superseded"));
                assert_eq!(played.logs.len(), 2, "{scene:?}");
                let over = played.logs[1].last().copied();
                let left = if over == Some("verified") { count } else { OLD };
                assert_eq!(played.desired, left, "{scene:?} {:?}", played.logs);
                *gave_way.entry(phase.as_str()).or_default() += 1;
            }
        }
    }
    assert_eq!(gave_way.len(), 5, "{gave_way:?}");
}

const FAULTS: [Fault; 8] = [
    Fault::CrashBefore,
    Fault::CrashAfter,
    Fault::Away,
    Fault::Lost,
    Fault::Twice,
    Fault::Late(Duration::from_secs(2)),
    Fault::Slow(Duration::from_secs(1)),
    Fault::Silent,
];

/// A crash before and after each append and each other call, each call failing once, done twice, done late, never answered.
#[test]
fn one_fault_at_any_call_changes_neither_log_nor_capacity() {
    for scene in Scene::all() {
        let clean = play(&scene);
        for number in moments(&clean.calls) {
            let (call, phase) = clean.calls[number];
            for fault in FAULTS {
                let played = play(&Scene {
                    fault: Some((number, fault)),
                    ..scene.clone()
                });
                let said = format!("{fault:?} at {call} while {phase:?}: {scene:?}");
                assert_eq!(played.result(), clean.result(), "{said}");
                assert_eq!(played.breaches, [], "{said}");
            }
        }
    }
}

/// Of each kind of call in each phase, the first and the last; of appends and reads, all.
fn moments(calls: &[Seen]) -> Vec<usize> {
    let mut moments: BTreeMap<(&str, Option<&str>), Vec<usize>> = BTreeMap::new();
    for (number, (call, phase)) in calls.iter().enumerate() {
        if *call != "begin" {
            let all = moments.entry((call, phase.map(Phase::as_str))).or_default();
            all.push(number);
            if !["append", "read"].contains(call) && all.len() > 2 {
                all.remove(1);
            }
        }
    }
    moments.into_values().flatten().collect()
}

#[test]
fn how_many_carry_it_on_and_who_is_quicker_does_not_matter() {
    for scene in Scene::all() {
        let alone = play(&scene);
        for executors in [2, 3] {
            for seed in 0..8 {
                let together = play(&Scene {
                    executors,
                    latency: Some(seed),
                    ..scene.clone()
                });
                let said = format!("{executors} executors, seed {seed}: {scene:?}");
                same(&together, &alone, &said);
            }
        }
    }
}

/// Of two executors one has a fault at any moment, which the other may see half done.
#[test]
fn a_crash_beside_another_executor_changes_neither_log_nor_capacity() {
    for scene in Scene::all() {
        let alone = play(&scene);
        let two = Scene {
            executors: 2,
            latency: Some(7),
            ..scene.clone()
        };
        let clean = play(&two);
        for number in moments(&clean.calls) {
            for fault in [Fault::CrashBefore, Fault::CrashAfter] {
                let played = play(&Scene {
                    fault: Some((number, fault)),
                    ..two.clone()
                });
                same(
                    &played,
                    &alone,
                    &format!("{fault:?} at {number}: {scene:?}"),
                );
            }
        }
    }
}

fn same(played: &Played, expected: &Played, said: &str) {
    assert_eq!(played.result(), expected.result(), "{said}");
    assert_eq!(played.breaches, [], "{said}");
}
