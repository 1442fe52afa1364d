use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const POLICY: &str = include_str!("../../tests/files/cpu-scale-up.json");
const GROUP: &str = include_str!("../../../../deploy/aws/hysio-production-asg.json");

fn policy() -> Policy {
    let group = Group::parse("asg.json", GROUP).unwrap();
    Policy::parse("policy.json", POLICY)
        .unwrap()
        .with_group(group)
        .unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn snapshot(second: i64, desired: i32, ready: i32, percent: Option<i64>) -> Snapshot {
    let pod = |index: i32| Pod {
        name: format!("pod-{index}"),
        ready: true,
        started_at: Some(at(-3600)),
        usage_milli: percent
            .map(|percent| ("cpu".to_owned(), percent * 10))
            .into_iter()
            .collect(),
        measured_at: Some(at(second)),
        requests_milli: [("cpu".to_owned(), 1000)].into(),
        ..Pod::default()
    };
    let workload = Workload {
        desired,
        running: ready,
        ready,
        pods: (0..ready).map(pod).collect(),
        ..Workload::default()
    };
    Snapshot {
        at: at(second),
        workloads: [(Resource::AppInstances, workload)].into(),
        signals: BTreeMap::new(),
        alerts: BTreeMap::new(),
        emergency: None,
    }
}

/// A world that does what is proposed at once, ticking every half minute. Gives the counts.
fn run(
    policy: &Policy,
    start: i32,
    load: impl Fn(i64, i32) -> Option<i64>,
    minutes: i64,
) -> Vec<i32> {
    let (mut memory, mut count, mut counts) = (Memory::default(), start, Vec::new());
    for tick in 0..minutes * 2 {
        let second = tick * 30;
        let (proposals, next) = policy.propose(
            &memory,
            &snapshot(second, count, count, load(second, count)),
        );
        let text = serde_json::to_string(&next).unwrap();
        memory = serde_json::from_str(&text).unwrap();
        assert_eq!(memory, next);
        assert!(memory.datapoints.len() <= 16);
        if let Wants::Count { count: wanted } = proposals[0].wants {
            count = wanted;
        }
        counts.push(count);
    }
    counts
}

#[test]
fn the_seeds_files_are_read_as_they_stand_with_a_warning() {
    let policy = policy();
    assert!((policy.target - 70.0).abs() < 1e-9);
    assert_eq!((policy.out_cooldown(), policy.in_cooldown()), (300, 600));
    let said: Vec<String> = policy.findings().iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 2);
    assert!(
        said[0].starts_with("policy.json:10: ScaleOutCooldown belongs to Application Auto Scaling")
    );
    assert!(said[1].contains("EstimatedInstanceWarmup"));
    let group = policy.group.as_ref().unwrap();
    assert_eq!(
        (group.min_size, group.max_size, group.desired_capacity),
        (3, 10, 3)
    );
    assert_eq!(group.default_cooldown, 300);
}

#[test]
fn it_scales_out_in_proportion_after_three_minutes_over_the_target_up_to_the_maximum() {
    let counts = run(&policy(), 3, |_, _| Some(90), 4);
    assert_eq!(counts[..6], [3; 6], "three whole minutes first");
    assert_eq!(counts[6], 4, "3 × 90 / 70, rounded up");
    assert_eq!(
        *run(&policy(), 8, |_, _| Some(300), 4).last().unwrap(),
        10,
        "MaxSize"
    );
    assert_eq!(
        *run(&policy(), 3, |_, _| Some(70), 30).last().unwrap(),
        3,
        "on the target"
    );
}

#[test]
fn in_the_scale_out_cool_down_only_a_larger_scale_out_adds() {
    let policy = policy();
    let memory = Memory {
        datapoints: Vec::new(),
        last: Some(Action {
            at: at(0),
            from: 4,
            to: 6,
            seen: true,
        }),
    };
    let decide = |percent: i64| {
        let seen = snapshot(120, 6, 4, Some(percent));
        let now = Now {
            workload: &seen.workloads[&Resource::AppInstances],
            at: at(120),
            in_service: 4,
        };
        policy.decide(
            Alarm::High {
                milli: percent * 1000,
            },
            memory.last.as_ref(),
            &now,
        )
    };
    let same = decide(100); // 4 × 100 / 70 = 6: what the first action added is part of it
    assert_eq!(same.wants, Wants::Count { count: 6 });
    assert!(same.action.is_none() && same.limits[0].contains("cool-down of 300 s"));
    assert_eq!(decide(140).wants, Wants::Count { count: 8 });
}

#[test]
fn it_scales_in_only_after_fifteen_minutes_a_tenth_under_the_target_and_then_waits() {
    assert_eq!(
        *run(&policy(), 10, |_, _| Some(64), 60).last().unwrap(),
        10,
        "within a tenth"
    );
    let counts = run(&policy(), 10, |_, count| Some(300 / i64::from(count)), 60);
    assert_eq!(counts[..30], [10; 30]);
    assert_eq!(counts[30], 5, "10 × 30 / 70, rounded up");
    let dip = |second: i64, _| Some(if second % 840 < 60 { 68 } else { 20 });
    assert_eq!(
        *run(&policy(), 10, dip, 60).last().unwrap(),
        10,
        "never fifteen in a row"
    );
    let idle = run(&policy(), 10, |_, _| Some(35), 40);
    assert_eq!(
        (idle[30], idle[31], idle[49], idle[50]),
        (5, 5, 5, 3),
        "600 s, and MinSize"
    );
}

#[test]
fn a_scale_out_overrides_the_scale_in_cool_down() {
    let load = |second: i64, _| Some(if second < 930 { 30 } else { 100 });
    let counts = run(&policy(), 10, load, 20);
    assert_eq!(counts[30], 5);
    assert!(*counts.last().unwrap() > 5, "{counts:?}");
}

#[test]
fn missing_data_scales_neither_in_nor_out() {
    for percent in [5, 100] {
        let broken = |second: i64, _| (second % 120 < 60).then_some(percent);
        assert_eq!(*run(&policy(), 5, broken, 60).last().unwrap(), 5);
    }
    let (proposals, _) = policy().propose(&Memory::default(), &snapshot(0, 5, 5, None));
    assert!(matches!(proposals[0].wants, Wants::Hold { .. }));
}

#[test]
fn what_was_not_carried_out_begins_no_cool_down() {
    let last = Action {
        at: at(0),
        from: 10,
        to: 5,
        seen: false,
    };
    let workload = Workload {
        desired: 10,
        ..Workload::default()
    };
    assert_eq!(followed(Some(&last), &workload), None);
    let workload = Workload {
        desired: 5,
        ..Workload::default()
    };
    assert!(followed(Some(&last), &workload).unwrap().seen);
}

#[test]
fn disable_scale_in_only_scales_out() {
    let text = POLICY.replace("\"ScaleInCooldown\": 600", "\"DisableScaleIn\": true");
    let policy = Policy::parse("policy.json", &text).unwrap();
    assert_eq!(*run(&policy, 10, |_, _| Some(5), 60).last().unwrap(), 10);
    assert_eq!(run(&policy, 3, |_, _| Some(90), 4)[6], 4);
}

#[test]
fn a_customised_metric_and_the_form_of_application_auto_scaling_are_read() {
    let text = r#"{"PolicyName": "q", "ServiceNamespace": "ecs", "ResourceId": "service/a/b",
      "ScalableDimension": "ecs:service:DesiredCount", "PolicyType": "TargetTrackingScaling",
      "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 10, "ScaleInCooldown": 60,
        "CustomizedMetricSpecification": {"MetricName": "backlog_per_worker", "Namespace": "hysio", "Statistic": "Average",
          "Dimensions": [{"Name": "queue", "Value": "transcription"}]}}}"#;
    let policy = Policy::parse("q.json", text).unwrap();
    assert_eq!(
        policy.signal(),
        Some("backlog_per_worker{queue=\"transcription\"}")
    );
    assert!(policy.findings().is_empty());
    assert_eq!((policy.out_cooldown(), policy.in_cooldown()), (300, 60));
}

#[test]
fn bad_files_are_refused_with_their_line_and_the_way_out() {
    for (from, to, line, part) in [
        ("70.0", "-1", 6, "out of range"),
        ("70.0", "\"much\"", 6, "much"),
        ("ASGAverageCPU", "ASGMedianCPU", 8, "is not known here"),
        (
            "TargetTrackingScaling\"",
            "StepScaling\"",
            4,
            "use TargetTrackingScaling",
        ),
        (
            "\"ScaleInCooldown\"",
            "\"ScaleInCoolDown\"",
            11,
            "unknown field",
        ),
        (
            "\"ScaleInCooldown\": 600",
            "\"ScaleInCooldown\": -1",
            11,
            "out of range",
        ),
    ] {
        let error = Policy::parse("p.json", &POLICY.replacen(from, to, 1)).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!(error.place().line, line, "{error}");
    }
    for (from, to, line, part) in [
        ("\"MinSize\": 3", "\"MinSize\": 30", 3, "over MaxSize 10"),
        (
            "\"DesiredCapacity\": 3",
            "\"DesiredCapacity\": 11",
            5,
            "from 3 to 10",
        ),
        ("\"MinSize\"", "\"MinimumSize\"", 0, "MinSize"),
    ] {
        let error = Group::parse("g.json", &GROUP.replacen(from, to, 1)).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert!(line == 0 || error.place().line == line, "{error}");
    }
    let other = Group {
        name: "other".to_owned(),
        ..policy().group.unwrap()
    };
    assert!(
        policy()
            .with_group(other)
            .unwrap_err()
            .to_string()
            .contains("hysio-production-asg")
    );
}

proptest! {
    #[test]
    fn never_outside_of_the_bounds_and_more_load_never_gives_fewer(
        load in prop::collection::vec(1..200_i64, 30), more in 0..100_i64, start in 3..=10_i32,
    ) {
        let policy = policy();
        let points = |more: i64| -> Vec<Datapoint> {
            (0_i64..).zip(&load).map(|(ago, percent)| Datapoint {
                minute: at(0).as_second() / 60 - ago, sum_milli: (percent + more) * 1000, readings: 1,
            }).collect()
        };
        let wanted = |more: i64| {
            let memory = Memory { datapoints: points(more), last: None };
            match policy.propose(&memory, &snapshot(0, start, start, Some(50))).0[0].wants {
                Wants::Count { count } => count,
                _ => panic!("no count"),
            }
        };
        prop_assert!((3..=10).contains(&wanted(0)));
        prop_assert!(wanted(0) <= wanted(more));
    }
}
