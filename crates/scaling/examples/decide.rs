//! How long a decision takes over all policies that are shipped for a large installation, as Markdown:
//! `cargo run --release -p hysio-scaling --example decide`.

use std::{collections::BTreeMap, hint::black_box, time::Instant};

use hysio_scaling::{
    Pod, Reading, Resource, Snapshot, Workload,
    decide::{History, decide},
    policies::Policies,
};
use jiff::Timestamp;

const FILES: [&str; 7] = [
    "config/scaling-matrix.yaml",
    "config/specialties.yaml",
    "deploy/prometheus/scaling-alerts.yml",
    "deploy/kubernetes/hpa.yaml",
    "deploy/kubernetes/keda-scaler.yaml",
    "deploy/aws/hysio-cpu-scale-up.json",
    "deploy/aws/hysio-production-asg.json",
];
const TICKS: i64 = 500;
const ROUNDS: usize = 40;

fn main() {
    let policies = policies();
    let mut best = f64::INFINITY;
    let mut plans = 0;
    for _ in 0..ROUNDS {
        let mut history = History::default();
        let snapshots: Vec<Snapshot> = (0..TICKS).map(snapshot).collect();
        let started = Instant::now();
        for snapshot in &snapshots {
            let (decision, after) = decide(&policies, &history, black_box(snapshot));
            plans += decision.plans().count();
            history = after;
        }
        #[expect(clippy::cast_precision_loss, reason = "a count of ticks")]
        let each = started.elapsed().as_secs_f64() / TICKS as f64;
        best = best.min(each);
    }
    assert!(plans > 0, "something is decided");
    println!(
        "| a decision over {} files, 8 resources, 20 pods | {:.1} µs |",
        FILES.len() + 1,
        1e6 * best
    );
}

fn policies() -> Policies {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
    let mut files: BTreeMap<String, String> = FILES
        .iter()
        .map(|name| {
            let text = std::fs::read_to_string(format!("{root}{name}"));
            ((*name).to_owned(), text.expect("it is shipped"))
        })
        .collect();
    let limits: String = Resource::ALL
        .iter()
        .map(|resource| format!("  {resource}: {{min: 1, max: 200}}\n"))
        .collect();
    files.insert("limits.yaml".to_owned(), format!("resources:\n{limits}"));
    Policies::read(&files).expect("they belong together")
}

/// A day of load, a look every fifteen seconds.
fn snapshot(tick: i64) -> Snapshot {
    let at = Timestamp::from_second(1_764_000_000 + 15 * tick).expect("a moment");
    #[expect(clippy::cast_precision_loss, reason = "a count of ticks")]
    let load = 0.5 + 0.5 * (tick as f64 / 900.0).sin();
    let reading = |value: f64| Reading::Value { value, at };
    let workloads = Resource::ALL.map(|resource| (resource, workload(resource, load, at)));
    Snapshot {
        at,
        workloads: workloads.into(),
        signals: BTreeMap::from([
            ("active_sessions".into(), reading(900.0 * load)),
            ("cpu_usage".into(), reading(100.0 * load)),
            ("memory_usage".into(), reading(60.0)),
            ("queue_length".into(), reading(120.0 * load)),
            ("transcription_queue".into(), reading(90.0 * load)),
            ("diagnosecode_queue".into(), reading(60.0 * load)),
            ("email_queue".into(), reading(20.0)),
            ("reports_queue".into(), reading(5.0)),
            ("emergency_load".into(), reading(90.0 * load)),
            (
                "specialty_demand{specialty=\"cardiology\"}".into(),
                reading(120.0 * load),
            ),
        ]),
        alerts: BTreeMap::new(),
        emergency: None,
    }
}

fn workload(resource: Resource, load: f64, at: Timestamp) -> Workload {
    #[expect(clippy::cast_possible_truncation, reason = "below a thousand")]
    let used = (900.0 * load) as i64;
    let pod = |n: i32| Pod {
        name: format!("pod-{n}"),
        ready: true,
        started_at: Some(at),
        ready_since: Some(at),
        usage_milli: BTreeMap::from([
            ("cpu".into(), used),
            ("memory".into(), 300_000),
            ("http_requests_per_second".into(), 40_000),
        ]),
        measured_at: Some(at),
        window_seconds: 15,
        requests_milli: BTreeMap::from([("cpu".into(), 1_000), ("memory".into(), 512_000)]),
    };
    Workload {
        desired: 20,
        running: 20,
        ready: 20,
        pods: if resource == Resource::AppInstances {
            (0..20).map(pod).collect()
        } else {
            Vec::new()
        },
        ..Workload::default()
    }
}
