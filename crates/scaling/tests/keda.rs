//! ScaledObject manifests and the proposals that they make.

#![expect(clippy::unwrap_used, reason = "the helpers of tests panic as tests do")]

use std::collections::BTreeMap;

use hysio_scaling::{
    Proposal, Reading, Resource, Snapshot, Wants, Workload,
    keda::{Memory, Policy},
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

const SEED: &str = include_str!("manifests/keda-scaler.yaml");

#[test]
fn the_manifest_of_the_product_parses_as_it_stands() {
    let policy = seed_policy();
    assert_eq!(policy.name, "keda/queue-workers-scaler");
    assert_eq!(policy.object.resource, Resource::QueueWorkers);
    assert_eq!(policy.object.counts.min, Some(2));
    assert_eq!(policy.object.counts.max, Some(50));
    let lists: Vec<_> = policy
        .object
        .triggers
        .iter()
        .map(|one| (one.metric.as_str(), one.list.list_length))
        .collect();
    assert_eq!(
        lists,
        [
            ("s0-redis-transcription_queue", 10),
            ("s1-redis-diagnosecode_queue", 5)
        ]
    );
    assert_eq!(policy.object.polling_seconds, 30);
    assert_eq!(policy.object.cooldown_seconds, 300);
}

/// What is replaced in the product's manifest by what, where the error points, and what it says.
const REFUSED: &[(&str, &str, &str, &str)] = &[
    (
        "minReplicaCount: 2",
        "minReplicaCount: 60",
        "minReplicaCount: 60",
        "must be less than",
    ),
    (
        "minReplicaCount: 2",
        "minReplicaCount: -2",
        "minReplicaCount: -2",
        "is -2",
    ),
    (
        "maxReplicaCount: 50",
        "maxReplicaCount: 50\n  idleReplicaCount: 1",
        "idleReplicaCount",
        "does not last",
    ),
    (
        "maxReplicaCount: 50",
        "maxReplicaCount: 50\n  cooldown: 9",
        "cooldown: 9",
        "cooldown",
    ),
    (
        "maxReplicaCount: 50",
        "maxReplicaCount: 50\n  pollingInterval: 0",
        "pollingInterval",
        "0 seconds",
    ),
    (
        "maxReplicaCount: 50",
        "maxReplicaCount: 50\n  fallback: {failureThreshold: -1, replicas: 3}",
        "fallback",
        "failureThreshold is -1",
    ),
    ("type: redis", "type: kafka", "type: kafka", "kafka"),
    (
        "name: queue-workers\n",
        "name: workers\n",
        "name: workers",
        "unknown workload",
    ),
    (
        "listLength: \"10\"",
        "listLength: \"many\"",
        "address",
        "listLength",
    ),
    (
        "listLength: \"10\"",
        "listLength: \"0\"",
        "address",
        "listLength is 0",
    ),
    (
        "listLength: \"10\"",
        "listLenght: \"10\"",
        "address",
        "listLenght",
    ),
    ("keda.sh/v1alpha1", "keda.sh/v2", "keda.sh/v2", "keda.sh/v2"),
];

#[test]
fn what_makes_no_sense_is_refused_with_its_line_and_the_way_out() {
    for (from, to, line_of, problem) in REFUSED {
        let text = SEED.replacen(from, to, 1);
        assert_ne!(text, SEED, "{from}");
        let error = Policy::parse("keda.yaml", &text).unwrap_err();
        let line = text
            .lines()
            .position(|line| line.contains(line_of))
            .unwrap()
            + 1;
        assert_eq!(error.line, line as u64, "{to}: {error}");
        assert!(error.to_string().contains(problem), "{to}: {error}");
    }
}

#[test]
fn the_longest_queue_for_its_length_decides() {
    let policy = seed_policy();
    let (proposal, _) = policy.propose(&calm(), &snapshot(5, [Ok(120.0), Ok(20.0)], 600));
    assert_eq!(count(&proposal), 10);
    let evidence: Vec<_> = proposal
        .evidence
        .iter()
        .map(|one| (one.signal.as_str(), one.value.as_str(), one.wants))
        .collect();
    assert_eq!(
        evidence,
        [
            ("transcription_queue", "120 jobs", Some(12)),
            ("diagnosecode_queue", "20 jobs", Some(4))
        ]
    );
    assert_eq!(proposal.limits, ["at most 2 times as many at once, or 4"]);
    let (proposal, _) = policy.propose(&calm(), &snapshot(40, [Ok(9_999.0), Ok(0.0)], 600));
    assert_eq!(count(&proposal), 50);
}

#[test]
fn a_failing_trigger_leaves_the_replicas_alone_unless_the_other_wants_more() {
    let policy = seed_policy();
    let (proposal, _) = policy.propose(&calm(), &snapshot(5, [Err(()), Ok(5.0)], 600));
    assert!(matches!(proposal.wants, Wants::Hold { .. }), "{proposal:?}");
    let (proposal, _) = policy.propose(&calm(), &snapshot(5, [Err(()), Ok(40.0)], 600));
    assert_eq!(count(&proposal), 8);
    let mut stale = snapshot(5, [Ok(0.0), Ok(0.0)], 600);
    stale.at = time(1_200);
    let (proposal, _) = policy.propose(&calm(), &stale);
    assert!(matches!(proposal.wants, Wants::Hold { .. }), "{proposal:?}");
}

#[test]
fn a_fallback_begins_after_its_threshold_and_ends_with_the_first_reading() {
    let policy = policy_with("  fallback: {failureThreshold: 2, replicas: 9}\n");
    let mut memory = calm();
    let mut wants = Vec::new();
    for step in 0..4 {
        let (proposal, next) =
            policy.propose(&memory, &snapshot(6, [Err(()), Ok(5.0)], 600 + step * 15));
        memory = next;
        wants.push(proposal.wants);
    }
    assert!(matches!(wants[1], Wants::Hold { .. }), "{wants:?}");
    assert_eq!(wants[2], Wants::Count { count: 9 });
    assert_eq!(memory.failures["s0-redis-transcription_queue"], 4);
    let (_, memory) = policy.propose(&memory, &snapshot(6, [Ok(50.0), Ok(5.0)], 700));
    assert!(memory.failures.is_empty());
}

#[test]
fn it_wakes_from_zero_at_once_and_goes_back_only_after_the_cool_down() {
    let policy = policy_with_min(0, "");
    let (proposal, memory) =
        policy.propose(&Memory::default(), &snapshot(0, [Ok(0.0), Ok(0.0)], 600));
    assert_eq!(count(&proposal), 0);
    let (proposal, memory) = policy.propose(&memory, &snapshot(0, [Ok(3.0), Ok(0.0)], 615));
    assert_eq!(count(&proposal), 1);
    let mut memory = memory;
    let mut zero_after = None;
    for step in 1..30 {
        let (proposal, next) =
            policy.propose(&memory, &snapshot(1, [Ok(0.0), Ok(0.0)], 615 + step * 15));
        memory = next;
        if count(&proposal) == 0 {
            zero_after = Some(step * 15);
            break;
        }
        assert_eq!(count(&proposal), 1);
    }
    assert_eq!(
        zero_after,
        Some(315),
        "more than 300 s since it was last active"
    );
}

#[test]
fn a_failing_trigger_at_zero_is_no_reason_to_stay_there_for_others() {
    let policy = policy_with_min(0, "");
    let (proposal, _) = policy.propose(&Memory::default(), &snapshot(0, [Err(()), Ok(0.0)], 600));
    assert!(matches!(proposal.wants, Wants::Hold { .. }), "{proposal:?}");
}

#[test]
fn annotations_pause_it() {
    let paused = SEED.replace(
        "namespace: production",
        "namespace: production\n  annotations: {autoscaling.keda.sh/paused: \"true\"}",
    );
    let policy = Policy::parse("keda.yaml", &paused).unwrap().remove(0);
    let (proposal, _) = policy.propose(&calm(), &snapshot(5, [Ok(400.0), Ok(0.0)], 600));
    assert!(matches!(proposal.wants, Wants::Hold { .. }));
    let at = paused.replace("paused: \"true\"", "paused-replicas: \"7\"");
    let policy = Policy::parse("keda.yaml", &at).unwrap().remove(0);
    let (proposal, _) = policy.propose(&calm(), &snapshot(5, [Ok(400.0), Ok(0.0)], 600));
    assert_eq!(count(&proposal), 7);
    let no_growth = paused.replace("paused: \"true\"", "paused-scale-out: \"true\"");
    let policy = Policy::parse("keda.yaml", &no_growth).unwrap().remove(0);
    let (proposal, _) = policy.propose(&calm(), &snapshot(5, [Ok(400.0), Ok(0.0)], 600));
    assert_eq!(count(&proposal), 5);
}

#[test]
fn a_formula_makes_one_metric_of_all_triggers() {
    let text = SEED
        .replacen("  - type: redis", "  - type: redis\n    name: speech", 1)
        .replacen(
            "  - type: redis\n    metadata",
            "  - type: redis-cluster\n    name: codes\n    metadata",
            1,
        );
    let with = |formula: &str| {
        let advanced = format!(
            "  advanced:\n    scalingModifiers: {{formula: \"{formula}\", target: \"10\", activationTarget: \"2\"}}\n  triggers:"
        );
        Policy::parse("keda.yaml", &text.replace("  triggers:", &advanced))
    };
    let policy = with("speech + codes / 2").unwrap().remove(0);
    let (proposal, _) = policy.propose(&calm(), &snapshot(5, [Ok(60.0), Ok(20.0)], 600));
    assert_eq!(count(&proposal), 7);
    let error = with("speech + letters").unwrap_err();
    assert!(error.to_string().contains("letters"), "{error}");
    assert!(with("speech +").is_err());
}

proptest! {
    #[test]
    fn proposals_keep_the_bounds_and_grow_with_the_queue(desired in 1..60, queue in 0_u32..5_000, more in 0_u32..5_000) {
        let policy = seed_policy();
        let wants = |length: u32| {
            let world = snapshot(desired, [Ok(f64::from(length)), Ok(0.0)], 600);
            count(&policy.propose(&calm(), &world).0)
        };
        let (less, grown) = (wants(queue), wants(queue + more));
        prop_assert!((2..=50).contains(&less));
        prop_assert!(grown >= less);
    }

    #[test]
    fn a_decision_replayed_from_what_was_stored_gives_the_same_bytes(lengths in prop::collection::vec(prop::option::of(0_u32..500), 1..12)) {
        let policy = policy_with_min(0, "  fallback: {failureThreshold: 1, replicas: 4, behavior: currentReplicasIfHigher}\n");
        let mut memory = Memory::default();
        for (step, length) in lengths.iter().enumerate() {
            let reading = length.map(f64::from).ok_or(());
            let world = snapshot(3, [reading, Ok(1.0)], 600 + step as i64 * 15);
            let first = policy.propose(&memory, &world);
            let stored: Memory = serde_json::from_str(&serde_json::to_string(&memory).unwrap()).unwrap();
            let again = policy.propose(&stored, &world);
            prop_assert_eq!(serde_json::to_vec(&first).unwrap(), serde_json::to_vec(&again).unwrap());
            memory = first.1;
        }
    }
}

fn seed_policy() -> Policy {
    let policies = Policy::parse("keda.yaml", SEED).unwrap();
    assert_eq!(policies.len(), 1);
    policies.into_iter().next().unwrap()
}

fn policy_with(spec: &str) -> Policy {
    let text = SEED.replace("  triggers:", &format!("{spec}  triggers:"));
    Policy::parse("keda.yaml", &text).unwrap().remove(0)
}

fn policy_with_min(min: i32, spec: &str) -> Policy {
    let text = SEED
        .replace("minReplicaCount: 2", &format!("minReplicaCount: {min}"))
        .replace("  triggers:", &format!("{spec}  triggers:"));
    Policy::parse("keda.yaml", &text).unwrap().remove(0)
}

/// Running for a while, with nothing in its history.
fn calm() -> Memory {
    let mut memory = Memory::default();
    memory.hpa.recommendations = Some(Vec::new());
    memory
}

fn count(proposal: &Proposal) -> i32 {
    match proposal.wants {
        Wants::Count { count } => count,
        _ => panic!("{proposal:?}"),
    }
}

fn time(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap() + SignedDuration::from_secs(second)
}

fn snapshot(desired: i32, lengths: [Result<f64, ()>; 2], at: i64) -> Snapshot {
    let names = ["transcription_queue", "diagnosecode_queue"];
    let signals = names.into_iter().zip(lengths).map(|(name, length)| {
        let reading = match length {
            Ok(value) => Reading::Value {
                value,
                at: time(at),
            },
            Err(()) => Reading::Missing {
                why: "Redis does not answer".to_owned(),
            },
        };
        (name.to_owned(), reading)
    });
    let workload = Workload {
        desired,
        running: desired,
        ready: desired,
        ..Workload::default()
    };
    Snapshot {
        at: time(at),
        workloads: BTreeMap::from([(Resource::QueueWorkers, workload)]),
        signals: signals.collect(),
        alerts: BTreeMap::new(),
        emergency: None,
    }
}
