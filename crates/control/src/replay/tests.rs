use super::{
    world::{Chaos, Kind},
    *,
};

const LIMITS: &str = "resources:\n  transcription_workers: {min: 1, max: 40}\n";
const KEDA: &str = r#"apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: workers
spec:
  scaleTargetRef:
    name: transcription-workers
  minReplicaCount: 1
  maxReplicaCount: 40
  triggers:
  - type: redis
    metadata:
      address: localhost:6379
      listName: transcription_queue
      listLength: "5"
"#;

fn policies() -> Policies {
    let files = [("limits.yaml", LIMITS), ("workers.yaml", KEDA)];
    let files = files.map(|(name, text)| (name.to_owned(), text.to_owned()));
    Policies::read(&BTreeMap::from(files)).unwrap()
}

/// Two hours: quiet, busy, quiet.
fn demand() -> Demand {
    let rates: Vec<f64> = (0..120)
        .map(|minute| if (40..80).contains(&minute) { 8.0 } else { 1.0 })
        .collect();
    Demand {
        start: "2024-05-01T08:00:00Z".parse().unwrap(),
        step_seconds: 60.0,
        values: rates.clone(),
        rates,
    }
}

fn settings(chaos: Vec<Chaos>) -> Settings {
    Settings {
        seed: 1,
        service: Service::Gamma { mean: 1.0, cv: 0.5 },
        objective_seconds: 5.0,
        replicas_at_start: 2,
        startup_seconds: 30.0,
        drain_seconds: 30.0,
        failures_a_day: 0.0,
        quota: 40,
        chaos,
    }
}

fn needed() -> Vec<u32> {
    let objective = "p95<5s".parse().unwrap();
    demand()
        .needed(&Service::Gamma { mean: 1.0, cv: 0.5 }, objective)
        .unwrap()
}

fn replay(chaos: Vec<Chaos>) -> Run {
    let signals = BTreeMap::from([("transcription_queue".to_owned(), Shows::Queue)]);
    let (policies, resource) = (policies(), Resource::TranscriptionWorkers);
    let decider = Decider::Policies {
        policies: &policies,
        resource,
        signals: &signals,
        history: &History::default(),
    };
    let demand = demand().under(&chaos);
    let needed = demand
        .needed(
            &Service::Gamma { mean: 1.0, cv: 0.5 },
            "p95<5s".parse().unwrap(),
        )
        .unwrap();
    run(&demand, &needed, settings(chaos), &decider, |_| {})
}

#[test]
fn policies_follow_demand_and_the_same_run_gives_the_same_bytes() {
    let run = replay(Vec::new());
    let most = run.course.supply.iter().copied().max().unwrap();
    assert!(most >= 6, "{most}");
    assert_eq!(
        serde_json::to_string(&run).unwrap(),
        serde_json::to_string(&replay(Vec::new())).unwrap()
    );
}

#[test]
fn they_are_better_than_a_fixed_number_that_is_too_small() {
    let fixed = run(
        &demand(),
        &needed(),
        settings(Vec::new()),
        &Decider::Fixed(2),
        |_| {},
    );
    let followed = replay(Vec::new());
    assert!(followed.totals.late_share() < fixed.totals.late_share());
    assert!(followed.score.elasticity.under_time < fixed.score.elasticity.under_time);
}

#[test]
fn an_outage_of_the_metrics_shrinks_nothing() {
    // From the middle of the busy time to the end.
    let outage = Chaos {
        from: 220,
        ticks: 260,
        kind: Kind::MetricOutage,
    };
    let run = replay(vec![outage]);
    let before = run.course.supply[219];
    assert!(
        run.course.supply[220..]
            .iter()
            .all(|ready| *ready >= before.min(run.course.supply[220])),
        "{:?}",
        &run.course.supply[215..]
    );
}

#[test]
fn what_is_needed_grows_with_demand() {
    let needed = needed();
    assert!(needed[50] > needed[0] && needed[0] >= 2, "{needed:?}");
}

#[test]
fn a_pandemic_is_three_times_the_demand_and_takes_more_replicas() {
    let pandemic = Chaos {
        from: 0,
        ticks: u32::MAX,
        kind: Kind::Surge(3.0),
    };
    let (usual, pandemic) = (replay(Vec::new()), replay(vec![pandemic]));
    let times = pandemic.totals.arrived / usual.totals.arrived;
    assert!((times - 3.0).abs() < 0.1, "{times}");
    let most = |run: &Run| run.course.need.iter().copied().max();
    assert!(most(&pandemic) > most(&usual));
    assert!(pandemic.totals.replica_hours > 1.5 * usual.totals.replica_hours);
}
