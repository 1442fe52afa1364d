use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::Reading;

const SHIPPED: &str = include_str!("../../../../config/specialties.yaml");

fn policy() -> Policy {
    Policy::parse("specialties.yaml", SHIPPED).unwrap()
}

fn demand(of: &[(&str, f64)]) -> BTreeMap<String, f64> {
    of.iter()
        .map(|(name, demand)| ((*name).to_owned(), *demand))
        .collect()
}

fn snapshot(signals: &[(&str, Option<f64>)]) -> Snapshot {
    let at = Timestamp::from_second(1_800_000_000).unwrap();
    let reading = |value: &Option<f64>| match value {
        Some(value) => Reading::Value { value: *value, at },
        None => Reading::Missing {
            why: "no answer".to_owned(),
        },
    };
    Snapshot {
        at,
        workloads: BTreeMap::new(),
        signals: signals
            .iter()
            .map(|(name, value)| ((*name).to_owned(), reading(value)))
            .collect(),
        alerts: BTreeMap::new(),
        emergency: None,
    }
}

#[test]
fn the_seeds_plan_is_made_but_rounded_up() {
    for (name, load, current, required, gpu) in [
        ("cardiology", 100.0, 2, 3, true),
        ("cardiology", 100.1, 2, 4, true),
        ("radiology", 50.0, 3, 3, true),
        ("radiology", 51.0, 3, 5, true), // the seed's int() would give 4
        ("general_practice", 60.0, 5, 8, false),
        ("emergency", 500.0, 4, 8, true),
        ("dermatology", 60.0, 1, 2, false),
    ] {
        let plan = &policy().plan(&demand(&[(name, load)]))[name];
        assert_eq!(
            (
                plan.current_instances,
                plan.required_instances,
                plan.gpu_required
            ),
            (current, required, gpu),
            "{name} {load}"
        );
        assert_eq!(plan.scaling_action == Action::ScaleUp, required > current);
    }
}

#[test]
fn all_specialties_together_are_proposed_as_transcription_instances() {
    let seen = snapshot(&[("specialty_demand{specialty=\"cardiology\"}", Some(120.0))]);
    let proposals = policy().propose(&seen);
    assert_eq!(proposals.len(), 1);
    assert_eq!(proposals[0].resource, Resource::TranscriptionInstances);
    assert_eq!(
        proposals[0].wants,
        Wants::AtLeast {
            count: 4 + 2 + 3 + 5 + 4
        }
    );
    let proposals = policy().propose(&snapshot(&[]));
    assert!(matches!(
        proposals[..],
        [Proposal {
            wants: Wants::Nothing { .. },
            ..
        }]
    ));
    let proposals = policy().propose(&snapshot(&[(
        "specialty_demand{specialty=\"cardiology\"}",
        None,
    )]));
    assert!(matches!(&proposals[0].wants, Wants::Hold { why } if why.contains("no answer")));
}

#[test]
fn an_emergency_load_over_eighty_scales_at_once() {
    assert_eq!(policy().emergency(80.0), None);
    let plan = policy().emergency(80.5).unwrap();
    assert_eq!(
        serde_json::to_value(&plan).unwrap(),
        serde_json::json!({
            "priority": "critical",
            "immediate_scaling": {"emergency_transcription": 6, "emergency_diagnosis": 4, "triage_ai": 3},
            "resource_reallocation": true,
        })
    );
    let proposals = policy().propose(&snapshot(&[("emergency_load", Some(81.0))]));
    for (resource, count) in [
        (Resource::TranscriptionWorkers, 6),
        (Resource::DiagnosisWorkers, 4),
        (Resource::DiagnosecodeInstances, 3),
    ] {
        let one = proposals
            .iter()
            .find(|one| one.resource == resource)
            .unwrap();
        assert_eq!(one.wants, Wants::AtLeast { count });
    }
    let held = policy().propose(&snapshot(&[("emergency_load", None)]));
    assert_eq!(
        held.iter()
            .filter(|one| matches!(one.wants, Wants::Hold { .. }))
            .count(),
        3
    );
}

#[test]
fn a_short_budget_serves_the_emergency_department_first() {
    let demands = demand(&[("emergency", 150.0), ("general_practice", 60.0)]);
    let budget = Capacity {
        instances: 16,
        gpus: 20,
    };
    let allocation = policy().share(&demands, &BTreeMap::new(), budget).unwrap();
    assert_eq!(
        (
            allocation.shares[0].name.as_str(),
            allocation.shares[0].granted
        ),
        ("emergency", 8)
    );
    assert!(allocation.taken.iter().all(|taken| taken.to == "emergency"));
    assert!(
        allocation
            .taken
            .iter()
            .any(|taken| taken.from == "general_practice")
    );
}

#[test]
fn what_ships_are_the_defaults() {
    let bare = SHIPPED.split("\ndemand:").next().unwrap();
    assert_eq!(Policy::parse("specialties.yaml", bare).unwrap(), policy());
}

#[test]
fn bad_files_are_refused_with_their_line_and_the_way_out() {
    for (from, to, part) in [
        ("instances: 2", "instances: -2", "out of range"),
        ("instances: 2", "instances: two", "two"),
        ("minimum: 1 ", "minimum: 3 ", "over its instances (2)"),
        ("gpu_required", "gpu", "unknown field `gpu`"),
        (
            "high_multiplier: 2.0",
            "high_multiplier: 0.5",
            "out of range",
        ),
        (
            "medium_above: 50",
            "medium_above: 150",
            "more than high_above",
        ),
        (
            "medium_multiplier: 1.5",
            "medium_multiplier: 2.5",
            "more than high_multiplier",
        ),
        ("diagnosis_workers", "doctors", "is no resource"),
        ("triage_ai: 3", "triage_ai: 3.5", "3.5"),
    ] {
        let line = SHIPPED[..SHIPPED.find(from).unwrap()].matches('\n').count() + 1;
        let error = Policy::parse("s.yaml", &SHIPPED.replacen(from, to, 1))
            .unwrap_err()
            .to_string();
        assert!(error.contains(part), "{error}");
        assert!(error.starts_with(&format!("s.yaml:{line}: ")), "{error}");
    }
}

proptest! {
    #[test]
    fn more_demand_never_gives_fewer(load in 0.0..200.0_f64, more in 0.0..200.0_f64) {
        let of = |load: f64| policy().plan(&demand(&[("radiology", load)]))["radiology"].required_instances;
        prop_assert!(of(load) <= of(load + more));
    }
}
