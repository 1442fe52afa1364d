use proptest::prelude::*;

use super::*;
use crate::{Resource, matrix};

const SHIPPED: &str = include_str!("../../../../config/scaling-matrix.yaml");

fn policy() -> Policy {
    Policy::parse("scaling-matrix.yaml", SHIPPED).unwrap()
}

fn tier(index: usize) -> Tier {
    matrix::Policy::parse("scaling-matrix.yaml", SHIPPED)
        .unwrap()
        .tiers()[index]
        .clone()
}

fn now() -> Timestamp {
    "2026-11-25T04:00:00Z".parse().unwrap()
}

fn declared(scenario: &str, seconds: i64) -> DeclaredEmergency {
    DeclaredEmergency {
        scenario: scenario.to_owned(),
        owner: "j.devries".to_owned(),
        reason: "influenza wave in three clinics".to_owned(),
        declared_at: now(),
        ends_at: Timestamp::from_second(now().as_second() + seconds).unwrap(),
    }
}

fn snapshot(at: Timestamp, emergency: Option<DeclaredEmergency>) -> Snapshot {
    Snapshot {
        at,
        workloads: BTreeMap::new(),
        signals: BTreeMap::new(),
        alerts: BTreeMap::new(),
        emergency,
    }
}

#[test]
fn a_pandemic_wants_three_times_the_tier_and_says_its_cap() {
    let seen = snapshot(now(), Some(declared("pandemic_response", 3600)));
    for (index, apps, capped) in [(0, 9, false), (1, 15, false), (2, 20, true), (3, 20, true)] {
        let proposals = policy().propose(&tier(index), &seen);
        let app = proposals
            .iter()
            .find(|one| one.resource == Resource::AppInstances)
            .unwrap();
        assert_eq!(app.wants, Wants::AtLeast { count: apps });
        assert_eq!(
            app.limits
                .iter()
                .any(|limit| limit.contains("max_instances")),
            capped
        );
        assert!(
            proposals
                .iter()
                .all(|proposal| proposal.resource.is_processes())
        );
        assert!(app.evidence[0].value.contains("j.devries"));
    }
    let findings = policy().findings().to_vec();
    assert!(
        findings
            .iter()
            .any(|finding| finding.message.contains("36 app_instances"))
    );
    assert_eq!(
        policy().priority_queues("pandemic_response"),
        [QueueName::Transcription, QueueName::Diagnosecode]
    );
}

#[test]
fn an_emergency_past_its_end_counts_no_more_and_says_so() {
    let ended = declared("pandemic_response", 0);
    let seen = snapshot(now(), Some(ended));
    assert!(policy().active(&seen).is_none());
    assert!(policy().priority_queues("of another matrix").is_empty());
    for proposal in policy().propose(&tier(3), &seen) {
        assert!(matches!(&proposal.wants, Wants::Nothing { why } if why.contains("ended at")));
    }
    for proposal in policy().propose(&tier(3), &snapshot(now(), None)) {
        assert!(matches!(proposal.wants, Wants::Nothing { .. }));
    }
}

#[test]
fn a_scenario_that_nobody_knows_holds_what_is_there() {
    let seen = snapshot(now(), Some(declared("asteroid", 3600)));
    for proposal in policy().propose(&tier(0), &seen) {
        assert!(matches!(&proposal.wants, Wants::Hold { why } if why.contains("asteroid")));
    }
}

#[test]
fn a_declaration_needs_a_scenario_an_owner_a_reason_and_an_end_in_time() {
    let policy = policy();
    for scenario in [
        "pandemic_response",
        "natural_disaster",
        "cyber_attack",
        "system_failure",
    ] {
        assert_eq!(policy.validate(&declared(scenario, 86_400), now()), Ok(()));
    }
    let change = |change: fn(&mut DeclaredEmergency)| {
        let mut one = declared("pandemic_response", 86_400);
        change(&mut one);
        policy.validate(&one, now()).unwrap_err().to_string()
    };
    for (message, part) in [
        (
            change(|one| one.scenario = "flood".to_owned()),
            "cyber_attack, natural_disaster",
        ),
        (change(|one| one.owner = "  ".to_owned()), "needs an owner"),
        (
            change(|one| one.reason = "flu   ".to_owned()),
            "at least 10 characters",
        ),
        (change(|one| one.ends_at = one.declared_at), "in the future"),
        (
            change(|one| one.ends_at = "2026-12-26T00:00:00Z".parse().unwrap()),
            "more than 30 days ahead",
        ),
    ] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn bad_scenarios_are_refused_with_their_line() {
    for (from, to, part) in [
        ("multiplier: 3.0", "multiplier: 0.5", "out of range"),
        ("multiplier: 3.0", "multiplier: .nan", "out of range"),
        ("max_instances: 20\n", "max_instances: 0\n", "out of range"),
        (
            "priority_queues: true\n",
            "priority: true\n",
            "unknown field `priority`",
        ),
        ("natural_disaster", "pandemic_response", "is there already"),
        ("isolation, ", "prayer, ", "is no requirement"),
        ("[transcription, diag", "[translation, diag", "is no queue"),
    ] {
        let text = SHIPPED.replacen(from, to, 1);
        let before = &SHIPPED[..SHIPPED.find(from).unwrap()];
        let line = u64::try_from(before.matches('\n').count()).unwrap() + 1;
        let error = Policy::parse("m.yaml", &text).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!(error.place().line, line, "{error}");
    }
}

proptest! {
    #[test]
    fn never_more_than_the_cap_and_never_fewer_in_a_higher_tier(cap in 1..60_i64, multiplier in 1.0..9.0_f64) {
        let text = SHIPPED
            .replacen("multiplier: 3.0", &format!("multiplier: {multiplier:?}"), 1)
            .replacen("max_instances: 20\n", &format!("max_instances: {cap}\n"), 1);
        let policy = Policy::parse("m.yaml", &text).unwrap();
        let seen = snapshot(now(), Some(declared("pandemic_response", 60)));
        let mut before = 0;
        for index in 0..4 {
            let proposals = policy.propose(&tier(index), &seen);
            let Wants::AtLeast { count } = proposals[0].wants else { panic!("{proposals:?}") };
            prop_assert!(i64::from(count) <= cap && count >= before);
            before = count;
        }
    }
}
