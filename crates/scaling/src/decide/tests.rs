use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::{Failing, Reading, Workload, snapshot::DeclaredEmergency};

const LIMITS: &str = "resources:
  transcription_workers: {min: 1, max: 10, scale_in_after_seconds: 30, monthly_cost: 100, priority: 1}
  queue_workers: {min: 1, max: 6, scale_in_after_seconds: 30, monthly_cost: 100, priority: 9}
";

fn scaled_object(name: &str, target: &str, list: &str) -> String {
    format!(
        "apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {{name: {name}}}
spec:
  scaleTargetRef: {{name: {target}}}
  pollingInterval: 1
  minReplicaCount: 1
  maxReplicaCount: 20
  advanced:
    horizontalPodAutoscalerConfig:
      behavior:
        scaleDown: {{stabilizationWindowSeconds: 0}}
  triggers:
  - type: redis
    metadata: {{address: \"h:1\", listName: {list}, listLength: \"2\"}}
"
    )
}

fn files(limits: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("limits.yaml".into(), limits.into()),
        (
            "a.yaml".into(),
            scaled_object("a", "transcription-workers", "transcription_queue"),
        ),
        (
            "b.yaml".into(),
            scaled_object("b", "queue-workers", "email_queue"),
        ),
    ])
}

fn policies(limits: &str) -> Policies {
    Policies::read(&files(limits)).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_764_000_000 + seconds).unwrap()
}

/// Queue lengths of transcriptions and mails, and how many workers each has.
fn snapshot(now: i64, waiting: [Option<f64>; 2], workers: [i32; 2]) -> Snapshot {
    let workload = |count| Workload {
        desired: count,
        running: count,
        ready: count,
        ..Workload::default()
    };
    let reading = |value: Option<f64>| match value {
        Some(value) => Reading::Value { value, at: at(now) },
        None => Reading::Missing { why: "away".into() },
    };
    Snapshot {
        at: at(now),
        workloads: BTreeMap::from([
            (Resource::TranscriptionWorkers, workload(workers[0])),
            (Resource::QueueWorkers, workload(workers[1])),
        ]),
        signals: BTreeMap::from([
            ("transcription_queue".into(), reading(waiting[0])),
            ("email_queue".into(), reading(waiting[1])),
        ]),
        alerts: BTreeMap::new(),
        emergency: None,
    }
}

fn outcome(decision: &Decision, resource: Resource) -> &Outcome {
    decision
        .outcomes
        .iter()
        .find(|outcome| outcome.resource == resource)
        .unwrap()
}

fn count_after(decision: &Decision, resource: Resource) -> i32 {
    let outcome = outcome(decision, resource);
    outcome.plan().map_or(outcome.current, |(to, _)| to)
}

#[test]
fn a_plan_says_which_signal_which_policy_and_which_limit_made_it_so() {
    let (decision, _) = decide(
        &policies(LIMITS),
        &History::default(),
        &snapshot(0, [Some(100.0), Some(0.0)], [6, 1]),
    );
    let outcome = outcome(&decision, Resource::TranscriptionWorkers);
    let (to, because) = outcome.plan().unwrap();
    assert_eq!(to, 10);
    assert!(because.contains("transcription_queue"), "{because}");
    assert_eq!(outcome.chosen.as_deref(), Some("keda/a"));
    assert!(
        outcome
            .limits
            .iter()
            .any(|limit| limit.starts_with("max 10")),
        "{:?}",
        outcome.limits
    );
    assert!(!outcome.proposals.is_empty());
}

/// Decides every second with nothing to do, and gives the count after each.
fn follow(
    policies: &Policies,
    mut history: History,
    seconds: std::ops::Range<i64>,
    mut workers: i32,
) -> (Vec<i32>, History) {
    let mut counts = Vec::new();
    for now in seconds {
        let snapshot = snapshot(now, [Some(0.0), Some(0.0)], [workers, 1]);
        let (decision, after) = decide(policies, &history, &snapshot);
        workers = count_after(&decision, Resource::TranscriptionWorkers);
        history = after;
        counts.push(workers);
    }
    (counts, history)
}

#[test]
fn what_a_person_has_asked_for_is_kept_for_the_scale_in_window() {
    let policies = policies(LIMITS);
    let window = policies.limits.resources[&Resource::TranscriptionWorkers].scale_in_after_seconds;
    let (_, history) = follow(&policies, History::default(), 0..400, 1);
    // Somebody scales to 6 by hand, although nothing waits.
    let (counts, _) = follow(&policies, history, 400..400 + window + 2, 6);
    let window = usize::try_from(window).unwrap();
    assert!(
        counts[..window].iter().all(|count| *count == 6),
        "{counts:?}"
    );
    assert!(
        counts[window..].iter().all(|count| *count < 6),
        "{counts:?}"
    );
}

#[test]
fn a_change_that_failed_is_tried_again_later_each_time() {
    let policies = policies(LIMITS);
    let mut snapshot = snapshot(0, [Some(100.0), Some(0.0)], [1, 1]);
    let mut plans_after = |changes: u32, seconds: i64| {
        let failing = Some(Failing { changes, at: at(0) });
        let workload = snapshot.workloads.get_mut(&Resource::TranscriptionWorkers);
        workload.unwrap().failing = failing;
        snapshot.at = at(seconds);
        for reading in snapshot.signals.values_mut() {
            if let Reading::Value { at: measured, .. } = reading {
                *measured = at(seconds);
            }
        }
        let (decision, _) = decide(&policies, &History::default(), &snapshot);
        outcome(&decision, Resource::TranscriptionWorkers).clone()
    };
    for (changes, seconds) in [(1, 2), (2, 4), (5, 32), (9, 300), (1_000, 300)] {
        let early = plans_after(changes, seconds - 1);
        let Verdict::NoPlan { why } = &early.verdict else {
            panic!("{changes} failed and {seconds} s have not passed: {early:?}")
        };
        assert!(why.contains("tried again"), "{why}");
        assert!(plans_after(changes, seconds).plan().is_some(), "{changes}");
    }
}

#[test]
fn a_plan_for_nothing_says_why() {
    let (decision, _) = decide(
        &policies(LIMITS),
        &History::default(),
        &snapshot(0, [Some(2.0), Some(0.0)], [1, 1]),
    );
    for outcome in &decision.outcomes {
        let Verdict::NoPlan { why } = &outcome.verdict else {
            panic!("{outcome:?}")
        };
        assert!(!why.is_empty());
    }
}

#[test]
fn a_missing_metric_never_scales_in_and_says_so() {
    let policies = policies(LIMITS);
    let mut history = History::default();
    for second in 0..120 {
        let (decision, after) =
            decide(&policies, &history, &snapshot(second, [None, None], [5, 3]));
        history = after;
        assert_eq!(decision.plans().count(), 0, "{decision:?}");
        let outcome = outcome(&decision, Resource::TranscriptionWorkers);
        let Verdict::NoPlan { why } = &outcome.verdict else {
            panic!("{outcome:?}")
        };
        assert!(
            why.contains("keda/a cannot tell: ") && why.contains("away"),
            "{why}"
        );
    }
}

#[test]
fn less_is_asked_for_only_after_the_window() {
    let policies = policies(LIMITS);
    let mut history = History::default();
    let mut first_less = None;
    for second in 0..90 {
        let waiting = if second < 10 { 20.0 } else { 0.0 };
        let (decision, after) = decide(
            &policies,
            &history,
            &snapshot(second, [Some(waiting), Some(0.0)], [10, 1]),
        );
        history = after;
        if count_after(&decision, Resource::TranscriptionWorkers) < 10 {
            first_less = first_less.or(Some(second));
        }
    }
    assert_eq!(first_less, Some(9 + 30));
}

#[test]
fn a_change_in_flight_is_left_alone() {
    let mut snapshot = snapshot(0, [Some(100.0), Some(0.0)], [1, 1]);
    snapshot
        .workloads
        .get_mut(&Resource::TranscriptionWorkers)
        .unwrap()
        .in_flight = true;
    let (decision, _) = decide(&policies(LIMITS), &History::default(), &snapshot);
    assert_eq!(decision.plans().count(), 0);
}

#[test]
fn a_budget_stops_the_less_important_first_and_an_emergency_takes_from_it() {
    let policies = policies(&format!("{LIMITS}monthly_budget: 800\n"));
    let mut snapshot = snapshot(0, [Some(12.0), Some(12.0)], [4, 4]);
    let (decision, _) = decide(&policies, &History::default(), &snapshot);
    // Six and six were wanted, eight can be paid: neither may shrink, so neither grows.
    assert_eq!(count_after(&decision, Resource::TranscriptionWorkers), 4);
    assert_eq!(count_after(&decision, Resource::QueueWorkers), 4);
    snapshot.emergency = Some(DeclaredEmergency {
        scenario: "pandemic_response".into(),
        owner: "x".into(),
        reason: "y".into(),
        declared_at: at(0),
        ends_at: at(3_600),
    });
    let (decision, _) = decide(&policies, &History::default(), &snapshot);
    assert!(
        count_after(&decision, Resource::TranscriptionWorkers)
            >= count_after(&decision, Resource::QueueWorkers)
    );
}

#[test]
fn what_makes_no_sense_together_is_refused() {
    let mut two = files(LIMITS);
    two.insert(
        "c.yaml".into(),
        scaled_object("c", "queue-workers", "email_queue"),
    );
    let error = Policies::read(&two).unwrap_err().to_string();
    assert!(
        error.contains("keda/b in b.yaml") && error.contains("keda/c in c.yaml"),
        "{error}"
    );

    let mut limits = files(LIMITS);
    limits.insert("more-limits.yaml".into(), LIMITS.into());
    let error = Policies::read(&limits).unwrap_err().to_string();
    assert!(
        error.contains("limits.yaml and more-limits.yaml"),
        "{error}"
    );

    let mut unbound = files(LIMITS);
    unbound.insert(
        "c.yaml".into(),
        scaled_object("c", "hysio-app", "email_queue"),
    );
    let error = Policies::read(&unbound).unwrap_err().to_string();
    assert!(
        error.contains("app_instances") && error.contains("limits.yaml"),
        "{error}"
    );

    let mut strange = files(LIMITS);
    strange.insert("strange.yaml".into(), "hello: world\n".into());
    let error = Policies::read(&strange).unwrap_err().to_string();
    assert!(error.contains("strange.yaml"), "{error}");

    let mut without = files(LIMITS);
    without.remove("limits.yaml");
    assert!(Policies::read(&without).is_err());
}

#[test]
fn the_shipped_policies_are_read() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/scaling");
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    let policies = Policies::read(&files).unwrap();
    assert_eq!(policies.keda.len(), 3);
}

#[test]
fn the_policies_for_kubernetes_and_aws_are_read_and_a_group_bounds_its_policy() {
    let deploy = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/");
    let mut files: BTreeMap<String, String> = [
        "kubernetes/hpa.yaml",
        "kubernetes/keda-scaler.yaml",
        "aws/hysio-cpu-scale-up.json",
        "aws/hysio-production-asg.json",
    ]
    .map(|name| {
        let text = std::fs::read_to_string(format!("{deploy}{name}")).unwrap();
        (name.to_owned(), text)
    })
    .into();
    let limits =
        "resources:\n  app_instances: {min: 1, max: 50}\n  queue_workers: {min: 1, max: 50}\n";
    files.insert("limits.yaml".into(), limits.into());
    let policies = Policies::read(&files).unwrap();
    assert_eq!((policies.hpa.len(), policies.keda.len()), (1, 1));
    let mut snapshot = snapshot(0, [Some(0.0), Some(0.0)], [1, 1]);
    let workload = Workload {
        desired: 10,
        running: 10,
        ready: 10,
        ..Workload::default()
    };
    snapshot.workloads.insert(Resource::AppInstances, workload);
    let (decision, _) = decide(&policies, &History::default(), &snapshot);
    let followed = &outcome(&decision, Resource::AppInstances).proposals;
    assert!(
        followed
            .iter()
            .any(|it| it.kind == crate::PolicyKind::TargetTracking)
    );

    let other = files["aws/hysio-production-asg.json"].replace("hysio-production-asg", "another");
    files.insert("aws/hysio-production-asg.json".into(), other);
    let refused = Policies::read(&files).unwrap_err().to_string();
    assert!(refused.contains("another"), "{refused}");
}

proptest! {
    #[test]
    fn counts_stay_within_bounds_and_a_decision_made_again_is_the_same_to_the_byte(
        steps in prop::collection::vec((prop::option::of(0.0..400.0_f64), prop::option::of(0.0..400.0_f64), 1..60_i64), 1..40),
    ) {
        let policies = policies(LIMITS);
        let mut history = History::default();
        let (mut now, mut workers) = (0, [1, 1]);
        for (dictations, mails, wait) in steps {
            now += wait;
            let snapshot = snapshot(now, [dictations, mails], workers);
            let (decision, after) = decide(&policies, &history, &snapshot);
            let stored = serde_json::to_string(&(&history, &snapshot)).unwrap();
            let (read_history, read_snapshot): (History, Snapshot) = serde_json::from_str(&stored).unwrap();
            let (again, after_again) = decide(&policies, &read_history, &read_snapshot);
            prop_assert_eq!(serde_json::to_string(&decision).unwrap(), serde_json::to_string(&again).unwrap());
            prop_assert_eq!(serde_json::to_string(&after).unwrap(), serde_json::to_string(&after_again).unwrap());
            workers = [count_after(&decision, Resource::TranscriptionWorkers), count_after(&decision, Resource::QueueWorkers)];
            prop_assert!((1..=10).contains(&workers[0]) && (1..=6).contains(&workers[1]));
            history = after;
        }
    }

    #[test]
    fn more_load_never_gives_fewer(less in 0.0..200.0_f64, more in 0.0..200.0_f64, workers in 1..10_i32) {
        let policies = policies(LIMITS);
        let count = |waiting| {
            let (decision, _) = decide(&policies, &History::default(), &snapshot(0, [Some(waiting), Some(0.0)], [workers, 1]));
            count_after(&decision, Resource::TranscriptionWorkers)
        };
        prop_assert!(count(less.min(more)) <= count(less.max(more)));
    }

    #[test]
    fn nothing_shrinks_and_grows_again_within_the_window(loads in prop::collection::vec(0.0..40.0_f64, 30)) {
        let policies = policies(LIMITS);
        let (mut history, mut workers) = (History::default(), 5);
        let mut shrank_to: Option<(i64, i32)> = None;
        for (second, load) in (0..).zip(loads) {
            let (decision, after) = decide(&policies, &history, &snapshot(second, [Some(load), Some(0.0)], [workers, 1]));
            history = after;
            let next = count_after(&decision, Resource::TranscriptionWorkers);
            if next < workers {
                shrank_to = Some((second, next));
            }
            workers = next;
        }
        // Thirty seconds of any load are within one window, which began with five.
        prop_assert_eq!(shrank_to, None);
    }

    #[test]
    fn the_order_of_the_policies_does_not_matter(load in 0.0..400.0_f64, mails in 0.0..400.0_f64) {
        let snapshot = snapshot(0, [Some(load), Some(mails)], [3, 3]);
        let mut turned = policies(LIMITS);
        turned.keda.reverse();
        let (one, _) = decide(&policies(LIMITS), &History::default(), &snapshot);
        let (other, _) = decide(&turned, &History::default(), &snapshot);
        prop_assert_eq!(one, other);
    }

    #[test]
    fn a_clock_that_jumps_back_or_far_ahead_does_not_shrink_anything_early(jump in -100_000..100_000_i64) {
        let policies = policies(LIMITS);
        let (_, history) = decide(&policies, &History::default(), &snapshot(0, [Some(20.0), Some(0.0)], [10, 1]));
        let (decision, _) = decide(&policies, &history, &snapshot(jump.min(29), [Some(0.0), Some(0.0)], [10, 1]));
        prop_assert_eq!(count_after(&decision, Resource::TranscriptionWorkers), 10);
    }
}
