//! HorizontalPodAutoscaler manifests and the proposals that they make.

#![expect(clippy::unwrap_used, reason = "the helpers of tests panic as tests do")]

use std::collections::BTreeMap;

use hysio_scaling::{
    Pod, Proposal, Reading, Resource, Snapshot, Wants, Workload,
    hpa::{Memory, Policy, Source, behavior::RateKind},
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

const SEED: &str = include_str!("manifests/hpa.yaml");

#[test]
fn the_manifest_of_the_product_parses_as_it_stands() {
    let policies = Policy::parse("hpa.yaml", SEED).unwrap();
    let [policy] = policies.as_slice() else {
        panic!("{policies:?}")
    };
    assert_eq!(policy.name, "hpa/hysio-app-hpa");
    assert_eq!(policy.resource, Resource::AppInstances);
    assert_eq!(
        (policy.spec.min_replicas, policy.spec.max_replicas),
        (3, 20)
    );
    assert_eq!(policy.spec.metrics.len(), 3);
    assert_eq!(policy.spec.metrics[0].target.average_utilization, Some(70));
    let pods = &policy.spec.metrics[2];
    assert!(
        matches!(&pods.source, Source::Pods { metric } if metric == "http_requests_per_second")
    );
    assert_eq!(pods.target.average_value, Some(50_000));
    let behavior = policy.spec.behavior.as_ref().unwrap();
    assert_eq!(behavior.scale_up.stabilization_window_seconds, Some(60));
    assert_eq!(behavior.scale_up.policies.len(), 2);
    assert_eq!(behavior.scale_down.policies[0].kind, RateKind::Percent);
    assert_eq!(behavior.scale_down.policies[0].value, 50);
}

#[test]
fn what_the_api_leaves_to_defaults_is_filled_in() {
    let text = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: small}\nspec:\n  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: queue-workers}\n  maxReplicas: 4\n  behavior: {scaleDown: {selectPolicy: Min}}\n";
    let policy = &Policy::parse("a.yaml", text).unwrap()[0];
    assert_eq!(policy.spec.min_replicas, 1);
    assert_eq!(policy.spec.metrics[0].target.average_utilization, Some(80));
    let behavior = policy.spec.behavior.as_ref().unwrap();
    assert_eq!(behavior.scale_up.policies.len(), 2);
    assert_eq!(behavior.scale_down.policies[0].value, 100);
    assert_eq!(behavior.scale_down.stabilization_window_seconds, None);
    assert_eq!(policy.settings.downscale_stabilization_seconds, 300);
}

#[test]
fn other_documents_of_a_file_are_left_to_others_and_lines_count_from_its_beginning() {
    let text =
        format!("# everything\n---\napiVersion: v1\nkind: Service\nmetadata: {{}}\n---\n{SEED}");
    assert_eq!(Policy::parse("all.yaml", &text).unwrap().len(), 1);
    let broken = text.replace("maxReplicas: 20", "maxReplicas: 2");
    let error = Policy::parse("all.yaml", &broken).unwrap_err();
    let line = broken
        .lines()
        .position(|line| line.contains("minReplicas"))
        .unwrap()
        + 1;
    assert_eq!((error.file.as_str(), error.line), ("all.yaml", line as u64));
}

/// What is replaced in the product's manifest by what, where the error points, and what it says.
const REFUSED: &[(&str, &str, &str, &str)] = &[
    (
        "minReplicas: 3",
        "minReplicas: 30",
        "minReplicas",
        "above maxReplicas",
    ),
    (
        "minReplicas: 3",
        "minReplicas: -1",
        "minReplicas",
        "minReplicas is -1",
    ),
    (
        "maxReplicas: 20",
        "maxReplicas: 20\n  speed: 9",
        "speed",
        "speed",
    ),
    (
        "averageUtilization: 70",
        "averageUtilization: 0",
        "averageUtilization: 0",
        "0 %",
    ),
    (
        "averageUtilization: 70",
        "averageUtilization: 170",
        "averageUtilization: 170",
        "170 %",
    ),
    (
        "stabilizationWindowSeconds: 300",
        "stabilizationWindowSeconds: 3601",
        "3601",
        "3601",
    ),
    (
        "periodSeconds: 15",
        "periodSeconds: 0",
        "periodSeconds: 0",
        "periodSeconds is 0",
    ),
    ("periodSeconds: 15", "periodSeconds: 1801", "1801", "1801"),
    ("value: 50\n", "value: 101\n", "value: 101", "101"),
    (
        "name: hysio-app\n",
        "name: hysio-ap\n",
        "name: hysio-ap\n",
        "unknown workload",
    ),
    (
        "averageValue: \"50\"",
        "averageValue: \"fifty\"",
        "fifty",
        "fifty",
    ),
    (
        "averageValue: \"50\"",
        "averageValue: \"0\"",
        "averageValue: \"0\"",
        "averageValue is 0",
    ),
    ("name: memory", "name: disk", "name: disk", "disk"),
    (
        "- type: Pods\n    pods",
        "- type: Cheese\n    pods",
        "Cheese",
        "Cheese",
    ),
    (
        "type: AverageValue",
        "type: Utilization",
        "type: Utilization\n        averageValue",
        "does not suit",
    ),
    (
        "autoscaling/v2",
        "autoscaling/v1",
        "autoscaling/v1",
        "autoscaling/v1",
    ),
    ("value: 100\n", "value: lots\n", "lots", "no whole number"),
];

#[test]
fn what_makes_no_sense_is_refused_with_its_line_and_the_way_out() {
    for (from, to, line_of, problem) in REFUSED {
        let text = SEED.replacen(from, to, 1);
        assert_ne!(text, SEED, "{from}");
        let error = Policy::parse("hpa.yaml", &text).unwrap_err();
        let place = text.find(line_of).unwrap();
        let line = text[..place].lines().count() + usize::from(text[..place].ends_with('\n'));
        assert_eq!(error.line, line as u64, "{to}: {error}");
        assert!(error.to_string().contains(problem), "{to}: {error}");
        assert!(!error.way_out.is_empty());
    }
}

#[test]
fn a_target_above_the_request_has_to_be_asked_for() {
    let text = SEED
        .replace("averageUtilization: 70", "averageUtilization: 170")
        .replace(
            "  namespace: production",
            "  namespace: production\n  annotations: {hysio/burstable: \"true\"}",
        );
    assert!(Policy::parse("hpa.yaml", &text).is_ok());
}

#[test]
fn the_largest_want_wins_and_every_metric_says_what_it_saw() {
    let policy = seed_policy();
    let world = World::new(4)
        .cpu_percent(90)
        .memory_percent(40)
        .requests(20);
    let (proposal, _) = policy.propose(&started(&policy, &world), &world.snapshot(600));
    assert_eq!(count(&proposal), 6);
    assert_eq!(proposal.evidence[0].value, "90 %");
    assert_eq!(proposal.evidence[0].against, "target 70 %");
    assert_eq!(proposal.evidence[0].wants, Some(6));
    assert_eq!(proposal.evidence[1].wants, Some(2));
    assert_eq!(proposal.evidence[2].value, "20 each");
}

#[test]
fn a_metric_that_is_not_measured_holds_what_is_there_but_does_not_stop_growth() {
    let policy = seed_policy();
    let idle = World::new(6).cpu_percent(10).memory_percent(10);
    let (proposal, _) = policy.propose(&started(&policy, &idle), &idle.snapshot(600));
    assert!(
        matches!(&proposal.wants, Wants::Hold { why } if why.contains("http_requests_per_second"))
    );
    let busy = World::new(6).cpu_percent(100).memory_percent(10);
    let (proposal, _) = policy.propose(&started(&policy, &busy), &busy.snapshot(600));
    assert_eq!(count(&proposal), 9);
    assert!(
        proposal
            .limits
            .iter()
            .any(|limit| limit.contains("unknown"))
    );
}

#[test]
fn stale_measurements_and_unknown_workloads_hold() {
    let policy = seed_policy();
    let mut snapshot = World::new(4).cpu_percent(99).snapshot(600);
    let workload = snapshot.workloads.get_mut(&Resource::AppInstances).unwrap();
    for pod in &mut workload.pods {
        pod.measured_at = Some(time(300));
    }
    let (proposal, _) = policy.propose(&Memory::default(), &snapshot);
    assert!(matches!(proposal.wants, Wants::Hold { .. }), "{proposal:?}");
    snapshot.workloads.clear();
    let (proposal, _) = policy.propose(&Memory::default(), &snapshot);
    assert!(matches!(proposal.wants, Wants::Hold { .. }));
}

#[test]
fn growth_waits_for_its_window_and_then_keeps_its_rate() {
    let policy = seed_policy();
    let mut memory = Memory::default();
    let mut desired = 4;
    let mut counts = Vec::new();
    for step in 0..8 {
        let world = World::new(desired)
            .cpu_percent(200)
            .memory_percent(10)
            .requests(1);
        let (proposal, next) = policy.propose(&memory, &world.snapshot(600 + step * 15));
        memory = next;
        desired = count(&proposal);
        counts.push(desired);
    }
    // The first recommendation is what there was, and stays for 60 s; then 100 % in 15 s, up to the lowest of the last 60 s:
    // 4 replicas at 200 % of a target of 70 % wanted 12.
    assert_eq!(counts, [4, 4, 4, 4, 8, 12, 12, 12]);
}

#[test]
fn shrinking_is_halved_a_minute_after_five_minutes_of_calm() {
    let policy = seed_policy();
    let mut memory = Memory::default();
    let mut desired = 20;
    let mut changes = Vec::new();
    for step in 0..60 {
        let world = World::new(desired)
            .cpu_percent(5)
            .memory_percent(5)
            .requests(1);
        let (proposal, next) = policy.propose(&memory, &world.snapshot(600 + step * 15));
        memory = next;
        if count(&proposal) != desired {
            changes.push((step * 15, count(&proposal)));
            assert!(!proposal.limits.is_empty());
        }
        desired = count(&proposal);
    }
    assert_eq!(changes, [(300, 10), (360, 5), (420, 3)]);
}

#[test]
fn a_zero_of_somebody_else_is_left_alone_and_its_own_ends_with_the_load() {
    let text = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: q}\nspec:\n  scaleTargetRef: {kind: Deployment, name: queue-workers}\n  minReplicas: 0\n  maxReplicas: 9\n  metrics:\n  - type: External\n    external:\n      metric: {name: depth, selector: {matchLabels: {queue: mail, at: here}}}\n      target: {type: AverageValue, averageValue: 10}\n";
    let policy = &Policy::parse("q.yaml", text).unwrap()[0];
    let look = |memory: &Memory, desired: i32, depth: f64, at: i64| {
        let workload = Workload {
            desired,
            running: desired,
            ..Workload::default()
        };
        let signal = r#"depth{at="here",queue="mail"}"#.to_owned();
        let reading = Reading::Value {
            value: depth,
            at: time(at),
        };
        let snapshot = snapshot_of(Resource::QueueWorkers, workload, [(signal, reading)], at);
        policy.propose(memory, &snapshot)
    };
    let (proposal, _) = look(&Memory::default(), 0, 50.0, 600);
    assert!(
        matches!(proposal.wants, Wants::Nothing { .. }),
        "{proposal:?}"
    );
    let (_, memory) = look(&Memory::default(), 2, 0.0, 600);
    let (proposal, memory) = look(&memory, 2, 0.0, 910);
    assert_eq!(count(&proposal), 0);
    let (proposal, memory) = look(&memory, 0, 0.0, 925);
    assert_eq!(count(&proposal), 0);
    let (proposal, _) = look(&memory, 0, 31.0, 940);
    assert_eq!(count(&proposal), 4);
}

#[test]
fn a_value_of_the_whole_is_shared_by_the_ready_also_where_processes_are_not_known_one_by_one() {
    let text = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: q}\nspec:\n  scaleTargetRef: {kind: Deployment, name: queue-workers}\n  maxReplicas: 9\n  metrics:\n  - type: Object\n    object:\n      describedObject: {kind: Service, name: q}\n      metric: {name: wait}\n      target: {type: Value, value: 500m}\n";
    let policy = &Policy::parse("q.yaml", text).unwrap()[0];
    let workload = Workload {
        desired: 3,
        running: 3,
        ready: 2,
        ..Workload::default()
    };
    let reading = Reading::Value {
        value: 1.25,
        at: time(600),
    };
    let snapshot = snapshot_of(
        Resource::QueueWorkers,
        workload,
        [("wait".to_owned(), reading)],
        600,
    );
    let memory = Memory {
        recommendations: Some(Vec::new()),
        ..Memory::default()
    };
    let (proposal, _) = policy.propose(&memory, &snapshot);
    assert_eq!(
        count(&proposal),
        5,
        "2.5 times as much as it should be, on 2"
    );
}

proptest! {
    #[test]
    fn proposals_keep_the_bounds(desired in 1..40, cpu in 0_i64..400, requests in 0_i64..500, unready in 0_usize..5) {
        let policy = seed_policy();
        let world = World::new(desired).cpu_percent(cpu).memory_percent(30).requests(requests).unready(unready);
        let (proposal, _) = policy.propose(&Memory::default(), &world.snapshot(600));
        if let Wants::Count { count } = proposal.wants {
            prop_assert!((3..=20).contains(&count));
        }
    }

    #[test]
    fn more_load_never_gives_fewer_replicas(
        desired in 3..20, cpu in 0_i64..300, more in 0_i64..300, requests in 0_i64..200, unready in 0_usize..5,
    ) {
        let policy = seed_policy();
        let wants = |cpu: i64, requests: i64| {
            let world = World::new(desired).cpu_percent(cpu).memory_percent(30).requests(requests).unready(unready);
            let (proposal, _) = policy.propose(&started(&policy, &world), &world.snapshot(600));
            (proposal.evidence[0].wants, proposal.evidence[2].wants, proposal.wants)
        };
        let (less_cpu, less_requests, less) = wants(cpu, requests);
        let (more_cpu, _, grown) = wants(cpu + more, requests);
        let (_, more_requests, _) = wants(cpu, requests + more);
        prop_assert!(more_cpu >= less_cpu);
        prop_assert!(more_requests >= less_requests);
        if let (Wants::Count { count: less }, Wants::Count { count: grown }) = (less, grown) {
            prop_assert!(grown >= less);
        }
    }

    #[test]
    fn within_the_stabilisation_window_a_wave_does_not_shrink_what_it_needed(loads in prop::collection::vec(0_i64..150, 2..20)) {
        let policy = seed_policy();
        let mut memory = Memory::default();
        let mut desired = 10;
        let mut turns = 0;
        let mut last = 0;
        for (step, cpu) in loads.iter().enumerate() {
            let world = World::new(desired).cpu_percent(*cpu).memory_percent(30).requests(1);
            let (proposal, next) = policy.propose(&memory, &world.snapshot(600 + step as i64 * 15));
            memory = next;
            let direction = (count(&proposal) - desired).signum();
            turns += i32::from(direction != 0 && last != 0 && direction != last);
            last = if direction == 0 { last } else { direction };
            desired = count(&proposal);
        }
        // Twenty looks are 300 s: whatever the load does, the count never goes down in them.
        prop_assert_eq!(turns, 0);
        prop_assert!(desired >= 10);
    }

    #[test]
    fn a_decision_replayed_from_what_was_stored_gives_the_same_bytes(loads in prop::collection::vec(0_i64..250, 1..12)) {
        let policy = seed_policy();
        let mut memory = Memory::default();
        let mut desired = 5;
        for (step, cpu) in loads.iter().enumerate() {
            let snapshot = World::new(desired).cpu_percent(*cpu).memory_percent(30).requests(9).snapshot(600 + step as i64 * 15);
            let first = policy.propose(&memory, &snapshot);
            let stored: Memory = serde_json::from_str(&serde_json::to_string(&memory).unwrap()).unwrap();
            let snapshot: Snapshot = serde_json::from_str(&serde_json::to_string(&snapshot).unwrap()).unwrap();
            let again = policy.propose(&stored, &snapshot);
            prop_assert_eq!(serde_json::to_vec(&first).unwrap(), serde_json::to_vec(&again).unwrap());
            desired = count(&first.0);
            memory = first.1;
        }
    }
}

#[test]
fn memory_stays_small_however_long_it_runs() {
    let policy = seed_policy();
    let mut memory = Memory::default();
    let mut desired = 5;
    for step in 0..5_000_i64 {
        let world = World::new(desired)
            .cpu_percent(step * 37 % 200)
            .memory_percent(30)
            .requests(9);
        let (proposal, next) = policy.propose(&memory, &world.snapshot(600 + step));
        memory = next;
        desired = count(&proposal);
    }
    assert!(
        serde_json::to_vec(&memory).unwrap().len() < 8_000,
        "{memory:?}"
    );
}

fn seed_policy() -> Policy {
    Policy::parse("hpa.yaml", SEED).unwrap().remove(0)
}

/// As if it had wanted the same all the time.
fn started(policy: &Policy, world: &World) -> Memory {
    let (_, mut memory) = policy.propose(&Memory::default(), &world.snapshot(600));
    memory.recommendations = Some(Vec::new());
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

fn snapshot_of(
    resource: Resource,
    workload: Workload,
    signals: impl IntoIterator<Item = (String, Reading)>,
    at: i64,
) -> Snapshot {
    Snapshot {
        at: time(at),
        workloads: BTreeMap::from([(resource, workload)]),
        signals: signals.into_iter().collect(),
        alerts: BTreeMap::new(),
        emergency: None,
    }
}

/// The app's instances, all with the same load.
struct World {
    replicas: i32,
    usage: BTreeMap<String, i64>,
    unready: usize,
}

impl World {
    fn new(replicas: i32) -> Self {
        Self {
            replicas,
            usage: BTreeMap::new(),
            unready: 0,
        }
    }

    fn cpu_percent(mut self, percent: i64) -> Self {
        self.usage.insert("cpu".to_owned(), percent * 5);
        self
    }

    fn memory_percent(mut self, percent: i64) -> Self {
        self.usage
            .insert("memory".to_owned(), percent * 1_000_000_000);
        self
    }

    fn requests(mut self, per_second: i64) -> Self {
        let key = "http_requests_per_second".to_owned();
        self.usage.insert(key, per_second * 1000);
        self
    }

    /// So many of them started just now and are not ready.
    fn unready(mut self, count: usize) -> Self {
        self.unready = count;
        self
    }

    fn snapshot(&self, at: i64) -> Snapshot {
        let pods = (0..self.replicas).map(|index| {
            let ready = index as usize >= self.unready;
            let since = if ready { 0 } else { at };
            Pod {
                name: format!("hysio-app-{index}"),
                ready,
                started_at: Some(time(since)),
                ready_since: ready.then(|| time(since)),
                usage_milli: self.usage.clone(),
                measured_at: Some(time(at)),
                window_seconds: 15,
                requests_milli: BTreeMap::from([
                    ("cpu".to_owned(), 500),
                    ("memory".to_owned(), 100_000_000_000),
                ]),
            }
        });
        let workload = Workload {
            desired: self.replicas,
            running: self.replicas,
            ready: self.replicas,
            pods: pods.collect(),
            ..Workload::default()
        };
        snapshot_of(Resource::AppInstances, workload, [], at)
    }
}
