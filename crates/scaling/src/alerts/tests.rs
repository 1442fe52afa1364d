use proptest::prelude::*;

use super::*;
use crate::{Reading, Workload, metrics, snapshot::FiringAlert};

const SCALING: &str = include_str!("../../../../deploy/prometheus/scaling-alerts.yml");
const HEALTHCARE: &str = include_str!("../../../../deploy/prometheus/healthcare_rules.yml");
/// As the seed has it: with metrics that nobody exports.
const SEED: &str = include_str!("../../tests/files/scaling-alerts.yml");

fn policy() -> Policy {
    Policy::parse("scaling-alerts.yml", SCALING).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn snapshot(second: i64, desired: i32, signals: &[(&str, f64)], alerts: &[&str]) -> Snapshot {
    let workload = |resource: Resource| {
        let workload = Workload {
            desired,
            running: desired,
            ready: desired,
            ..Workload::default()
        };
        (resource, workload)
    };
    Snapshot {
        at: at(second),
        workloads: Resource::ALL.map(workload).into(),
        signals: signals
            .iter()
            .map(|(name, value)| {
                (
                    (*name).to_owned(),
                    Reading::Value {
                        value: *value,
                        at: at(second),
                    },
                )
            })
            .collect(),
        alerts: alerts
            .iter()
            .map(|name| {
                (
                    (*name).to_owned(),
                    FiringAlert {
                        since: at(second - 60),
                        value: 91.0,
                    },
                )
            })
            .collect(),
        emergency: None,
    }
}

fn wants(proposals: &[Proposal], resource: Resource) -> Wants {
    let one = proposals
        .iter()
        .find(|one| one.resource == resource)
        .unwrap();
    one.wants.clone()
}

#[test]
fn each_action_asks_for_a_step_of_its_resource() {
    for (alert, resource, count) in [
        ("HighCPUUsage", Resource::AppInstances, 5),
        ("HighMemoryUsage", Resource::AppInstances, 5),
        ("HighHealthcareSessionLoad", Resource::AppInstances, 5),
        (
            "TranscriptionQueueBacklog",
            Resource::TranscriptionWorkers,
            5,
        ),
        (
            "SlowTranscriptionProcessing",
            Resource::TranscriptionInstances,
            5,
        ),
        ("DatabaseConnectionPoolHigh", Resource::DbConnections, 5),
    ] {
        let (proposals, _) = policy().propose(&Memory::default(), &snapshot(0, 4, &[], &[alert]));
        assert_eq!(
            wants(&proposals, resource),
            Wants::AtLeast { count },
            "{alert}"
        );
        let others = proposals.iter().filter(|one| one.resource != resource);
        assert!(
            others
                .into_iter()
                .all(|one| matches!(one.wants, Wants::Nothing { .. }))
        );
    }
    let seen = snapshot(0, 50, &[], &["DatabaseConnectionPoolHigh"]);
    let (proposals, _) = policy().propose(&Memory::default(), &seen);
    assert_eq!(
        wants(&proposals, Resource::DbConnections),
        Wants::AtLeast { count: 63 },
        "25 %, up"
    );
}

#[test]
fn a_step_is_taken_once_a_cool_down_and_never_past_the_maximum() {
    let (mut memory, mut desired, mut counts) = (Memory::default(), 17, Vec::new());
    for tick in 0..40 {
        let seen = snapshot(tick * 30, desired, &[], &["HighCPUUsage"]);
        let (proposals, next) = policy().propose(&memory, &seen);
        let Wants::AtLeast { count } = wants(&proposals, Resource::AppInstances) else {
            panic!()
        };
        memory = serde_json::from_str(&serde_json::to_string(&next).unwrap()).unwrap();
        desired = count;
        counts.push(count);
    }
    assert_eq!(counts[..10], [18; 10]);
    assert_eq!(counts[10..20], [19; 10]);
    assert_eq!(counts[20..], [20; 20]);
}

#[test]
fn without_prometheus_a_simple_rule_fires_after_its_time() {
    let backlog = (
        "hysio_queue_depth{queue=\"transcription\",state=\"ready\"}",
        51.0,
    );
    let dead = (
        "hysio_queue_depth{queue=\"transcription\",state=\"dead\"}",
        900.0,
    );
    let policy = policy();
    let mut memory = Memory::default();
    for (second, signals, fires) in [
        (0, vec![backlog, dead], false),
        (60, vec![backlog], false),
        (119, vec![backlog], false),
        (120, vec![backlog], true),
        (150, vec![dead], false),
        (180, vec![backlog], false),
        (600, vec![backlog], false), // nobody looked for minutes: it counts anew
    ] {
        let (proposals, next) = policy.propose(&memory, &snapshot(second, 4, &signals, &[]));
        let wants = wants(&proposals, Resource::TranscriptionWorkers);
        assert_eq!(
            matches!(wants, Wants::AtLeast { .. }),
            fires,
            "{second}: {wants:?}"
        );
        memory = next;
    }
    assert!(policy.metrics().contains("hysio_queue_depth"));
}

#[test]
fn a_reading_that_is_missing_holds_what_is_there() {
    let mut seen = snapshot(0, 4, &[], &[]);
    let signal = "hysio_queue_depth{queue=\"transcription\",state=\"ready\"}".to_owned();
    seen.signals.insert(
        signal,
        Reading::Missing {
            why: "no answer".to_owned(),
        },
    );
    let (proposals, _) = policy().propose(&Memory::default(), &seen);
    assert!(matches!(
        wants(&proposals, Resource::TranscriptionWorkers),
        Wants::Hold { why } if why.contains("no answer")
    ));
}

#[test]
fn the_rules_that_need_prometheus_are_named_with_their_lines() {
    let said: Vec<String> = policy()
        .needs_prometheus()
        .iter()
        .map(ToString::to_string)
        .collect();
    let expected = [
        "HighCPUUsage",
        "HighMemoryUsage",
        "SlowTranscriptionProcessing",
    ];
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (line, alert) in said.iter().zip(expected) {
        let stands = SCALING
            .lines()
            .position(|line| line.contains(&format!("alert: {alert}")));
        let place = format!("scaling-alerts.yml:{}: {alert}", stands.unwrap() + 1);
        assert!(line.starts_with(&place), "{line}");
    }
}

#[test]
fn every_metric_of_the_rules_is_exported_and_the_seeds_unknown_ones_are_named() {
    let machine = [
        "node_cpu_seconds_total",
        "node_memory_MemAvailable_bytes",
        "node_memory_MemTotal_bytes",
    ];
    let exported: BTreeSet<&str> = metrics::ALL.into_iter().chain(machine).collect();
    let healthcare = Policy::parse("healthcare_rules.yml", HEALTHCARE).unwrap();
    assert_eq!(unknown_metrics(&[&policy(), &healthcare], &exported), []);

    let seed = Policy::parse("seed.yml", SEED).unwrap();
    let said: Vec<String> = unknown_metrics(&[&seed], &exported)
        .iter()
        .map(ToString::to_string)
        .collect();
    for (line, name) in [
        (6, "cpu_usage_percent"),
        (18, "memory_total"),
        (18, "memory_used"),
        (29, "redis_list_length"),
    ] {
        let start = format!("seed.yml:{line}: nobody exports the metric {name}");
        assert!(said.iter().any(|one| one.starts_with(&start)), "{said:#?}");
    }
    assert_eq!(said.len(), 4);
}

#[test]
fn bad_rules_are_refused_with_their_line_and_the_way_out() {
    for (from, to, part) in [
        (
            "increase_replicas",
            "increase_everything",
            "use one of increase_replicas",
        ),
        ("for: 5m", "for: 5 minutes", "is no duration"),
        ("for: 5m", "fro: 5m", "unknown field `fro`"),
        ("severity: warning", "severity: [a]", "promtool"),
    ] {
        let line = SCALING[..SCALING.find(from).unwrap()].matches('\n').count() + 1;
        let error = Policy::parse("r.yml", &SCALING.replacen(from, to, 1))
            .unwrap_err()
            .to_string();
        assert!(error.contains(part), "{error}");
        assert!(error.starts_with(&format!("r.yml:{line}: ")), "{error}");
    }
    let neither = SCALING.replacen("- alert: HighCPUUsage\n        expr", "- expr", 1);
    let error = Policy::parse("r.yml", &neither).unwrap_err().to_string();
    assert!(error.contains("give it `alert` or `record`"), "{error}");
}

proptest! {
    #[test]
    fn never_past_the_maximum_and_more_load_never_gives_fewer(
        desired in 0..400_i32, load in 0.0..200.0_f64, more in 0.0..200.0_f64,
    ) {
        let text = SCALING.replace("for: 2m", "for: 0s").replace("for: 1m", "for: 0s");
        let policy = Policy::parse("r.yml", &text).unwrap();
        let of = |load: f64| {
            let pool = ("hysio_db_connection_pool_usage{database=\"hysio\",pool_name=\"primary\"}", load);
            let (proposals, _) = policy.propose(&Memory::default(), &snapshot(0, desired, &[pool], &[]));
            match wants(&proposals, Resource::DbConnections) {
                Wants::AtLeast { count } => count,
                _ => 0,
            }
        };
        prop_assert!(of(load) <= of(load + more));
        prop_assert!(of(load + more) <= 190);
    }
}
