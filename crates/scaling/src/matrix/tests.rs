use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::Reading;

const SHIPPED: &str = include_str!("../../../../config/scaling-matrix.yaml");

fn policy() -> Policy {
    Policy::parse("scaling-matrix.yaml", SHIPPED).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn snapshot(second: i64, sessions: f64, cpu: f64, memory: f64, queue: f64) -> Snapshot {
    let names = [
        "active_sessions",
        "cpu_usage",
        "memory_usage",
        "queue_length",
    ];
    let values = [sessions, cpu, memory, queue];
    let reading = |value| Reading::Value {
        value,
        at: at(second),
    };
    Snapshot {
        at: at(second),
        workloads: BTreeMap::new(),
        signals: names
            .into_iter()
            .zip(values)
            .map(|(name, value)| (name.to_owned(), reading(value)))
            .collect(),
        alerts: BTreeMap::new(),
        emergency: None,
    }
}

fn count(proposals: &[Proposal], resource: Resource) -> i32 {
    proposals
        .iter()
        .find_map(|proposal| match proposal.wants {
            Wants::Count { count } | Wants::AtLeast { count } if proposal.resource == resource => {
                Some(count)
            }
            _ => None,
        })
        .unwrap()
}

#[test]
fn the_seeds_tiers_are_reached_by_any_signal_and_the_edge_is_the_higher_tiers() {
    for (sessions, cpu, memory, queue, apps) in [
        (0.0, 0.0, 0.0, 0.0, 3),
        (199.9, 39.9, 49.9, 9.9, 3),
        (200.0, 0.0, 0.0, 0.0, 5),
        (0.0, 40.0, 0.0, 0.0, 5),
        (0.0, 0.0, 75.0, 0.0, 8),
        (500.0, 0.0, 0.0, 0.0, 8),
        (800.0, 0.0, 0.0, 0.0, 12),
        (0.0, 0.0, 0.0, 101.0, 12),
        (0.0, 99.0, 0.0, 0.0, 12),
    ] {
        let snapshot = snapshot(0, sessions, cpu, memory, queue);
        let (proposals, _) = policy().propose(&Memory::default(), &snapshot);
        assert_eq!(
            count(&proposals, Resource::AppInstances),
            apps,
            "{snapshot:?}"
        );
    }
    let (proposals, memory) =
        policy().propose(&Memory::default(), &snapshot(0, 900.0, 0.0, 0.0, 0.0));
    assert_eq!(memory.tier.as_deref(), Some("peak_usage"));
    for (resource, amount) in [
        (Resource::TranscriptionWorkers, 10),
        (Resource::DiagnosisWorkers, 8),
        (Resource::DbConnections, 200),
        (Resource::CacheMemory, 16 * 1024),
    ] {
        assert_eq!(count(&proposals, resource), amount);
    }
}

#[test]
fn the_seeds_shared_edges_and_its_connections_are_reported_with_their_lines() {
    let policy = policy();
    let said: Vec<String> = policy.findings().iter().map(ToString::to_string).collect();
    for edge in ["200", "500", "800"] {
        let start = format!("active_sessions: {edge} is an edge of both");
        assert!(said.iter().any(|line| line.contains(&start)), "{said:#?}");
    }
    assert_eq!(
        said.iter()
            .filter(|line| line.contains("edge of both"))
            .count(),
        12
    );
    assert!(
        said.iter()
            .any(|line| line.contains("200 db_connections leave none")),
        "{said:#?}"
    );
    let line = policy.findings()[0].place.line;
    assert!(
        SHIPPED
            .lines()
            .nth(usize::try_from(line).unwrap() - 1)
            .is_some()
    );
    assert!(
        policy
            .findings()
            .iter()
            .all(|finding| finding.place.line > 0)
    );
}

#[test]
fn what_ships_beside_the_tiers_are_the_defaults() {
    assert_eq!(policy().options, Options::default());
    let tiers_alone = SHIPPED.split("\nmatrix:").next().unwrap();
    let alone = Policy::parse("scaling-matrix.yaml", tiers_alone).unwrap();
    assert_eq!(alone.options, Options::default());
    assert_eq!(alone.tiers, policy().tiers);
}

#[test]
fn gaps_and_overlaps_are_reported_with_how_they_are_resolved() {
    for (lower, higher, expected) in [
        ("200-500", "600-800", "from 500 to 600 is a gap"),
        ("200-500", "400-800", "overlap from 400 to 500"),
        ("> 200", "500-800", "overlap from 500 on"),
        ("100-500", "500-800", "500 is an edge of both"),
    ] {
        let text = format!(
            "scaling_thresholds:\n  a:\n    active_sessions: \"{lower}\"\n    configuration: {{app_instances: 1}}\n  \
             b:\n    active_sessions: \"{higher}\"\n    configuration: {{app_instances: 2}}\n"
        );
        let policy = Policy::parse("m.yaml", &text).unwrap();
        let finding = policy
            .findings()
            .iter()
            .find(|finding| finding.message.contains(expected))
            .unwrap_or_else(|| panic!("{expected}: {:#?}", policy.findings()));
        assert_eq!(finding.place.line, 6);
    }
}

#[test]
fn bad_files_are_refused_with_their_line_and_the_way_out() {
    for (from, to, line, part) in [
        ("\"< 200\"", "\"below 200\"", 4, "is no range"),
        (
            "\"200-500\"",
            "\"500-200\"",
            16,
            "begins at or after its end",
        ),
        ("\"> 85%\"", "\"> 185%\"", 41, "over 100 %"),
        (
            "\"> 800\"",
            "\"> 300\"",
            40,
            "begins no higher than high_usage",
        ),
        (
            "app_instances: 12",
            "app_instances: 7",
            45,
            "less than in high_usage",
        ),
        ("app_instances: 12", "app_servers: 12", 45, "is no resource"),
        (
            "app_instances: 12",
            "app_instances: many",
            45,
            "is no amount",
        ),
        ("\"16GB\"", "\"16 buckets\"", 49, "is no amount"),
        (
            "      app_instances: 12\n",
            "",
            39,
            "other resources than high_usage",
        ),
        ("  high_usage:", "  low_usage:", 27, "duplicate"),
        (
            "queue_length: \"> 100\"",
            "queue_lenght: \"> 100\"",
            43,
            "queue_lenght",
        ),
    ] {
        let text = SHIPPED.replacen(from, to, 1);
        assert_ne!(text, SHIPPED, "{from}");
        let error = Policy::parse("m.yaml", &text).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(part), "{message}");
        assert_eq!(error.place().line, line, "{message}");
        assert!(
            message.starts_with(&format!("m.yaml:{line}: ")),
            "{message}"
        );
        assert!(message.contains("; "), "{message}");
    }
}

#[test]
fn a_tier_is_left_only_after_all_signals_were_clearly_below_for_the_whole_time() {
    let policy = policy();
    let run = |sessions: &[(i64, f64)]| {
        let start = Memory {
            tier: Some("high_usage".to_owned()),
            leaving: None,
        };
        sessions.iter().fold(start, |memory, (second, value)| {
            policy
                .propose(&memory, &snapshot(*second, *value, 0.0, 0.0, 0.0))
                .1
        })
    };
    let steps = |value: f64, until: i64| -> Vec<(i64, f64)> {
        (0..=until / 30).map(|step| (step * 30, value)).collect()
    };
    let tier = |memory: Memory| memory.tier.unwrap();
    assert_eq!(
        tier(run(&steps(460.0, 3600))),
        "high_usage",
        "less than 10 % below"
    );
    assert_eq!(
        tier(run(&steps(440.0, 270))),
        "high_usage",
        "not long enough"
    );
    assert_eq!(tier(run(&steps(440.0, 300))), "medium_usage");
    let mut broken = steps(440.0, 270);
    broken.extend([(300, 470.0), (330, 440.0)]);
    assert_eq!(tier(run(&broken)), "high_usage", "the time counts anew");
    assert_eq!(
        tier(run(&[(0, 100.0), (600, 100.0)])),
        "high_usage",
        "nobody looked between"
    );
    let mut mixed = steps(100.0, 270);
    mixed[3].1 = 300.0;
    mixed.push((300, 100.0));
    assert_eq!(tier(run(&mixed)), "medium_usage", "the highest of the time");
}

#[test]
fn a_missing_or_stale_signal_never_lowers_the_tier() {
    let policy = policy();
    let mut memory = Memory {
        tier: Some("peak_usage".to_owned()),
        leaving: None,
    };
    for step in 0..100 {
        let mut snapshot = snapshot(step * 30, 0.0, 0.0, 0.0, 0.0);
        let reading = match step % 3 {
            0 => Some(Reading::Missing {
                why: "no answer".to_owned(),
            }),
            1 => Some(Reading::Value {
                value: 0.0,
                at: at(step * 30 - 61),
            }),
            _ => None,
        };
        match reading {
            Some(reading) => drop(snapshot.signals.insert("cpu_usage".to_owned(), reading)),
            None => drop(snapshot.signals.remove("cpu_usage")),
        }
        let (proposals, next) = policy.propose(&memory, &snapshot);
        assert_eq!(next.tier.as_deref(), Some("peak_usage"));
        assert!(proposals.iter().any(|proposal| matches!(
            &proposal.wants,
            Wants::Hold { why } if why.contains("cpu_usage")
        )));
        assert!(
            !proposals
                .iter()
                .any(|proposal| matches!(proposal.wants, Wants::Count { .. }))
        );
        memory = next;
    }
}

proptest! {
    #[test]
    fn more_load_never_gives_fewer(
        load in prop::array::uniform4(0.0..1000.0_f64),
        more in prop::array::uniform4(0.0..500.0_f64),
        tier in 0..4_usize,
    ) {
        let policy = policy();
        let memory = Memory { tier: Some(policy.tiers()[tier].name.clone()), leaving: None };
        let of = |load: [f64; 4]| {
            let snapshot = snapshot(0, load[0], load[1] / 10.0, load[2] / 10.0, load[3]);
            policy.propose(&memory, &snapshot).0
        };
        let higher = std::array::from_fn(|index| load[index] + more[index]);
        for resource in [Resource::AppInstances, Resource::DbConnections] {
            prop_assert!(count(&of(load), resource) <= count(&of(higher), resource));
        }
    }

    #[test]
    fn a_value_that_oscillates_on_an_edge_changes_the_tier_at_most_once(
        edge in prop::sample::select(vec![200.0, 500.0, 800.0]),
        wobble in prop::collection::vec(-0.09..0.09_f64, 10..200),
    ) {
        let policy = policy();
        let mut memory = Memory::default();
        let mut changes = 0;
        for (step, share) in (0_i64..).zip(wobble) {
            let seen = snapshot(step * 15, edge * (1.0 + share), 0.0, 0.0, 0.0);
            let next = policy.propose(&memory, &seen).1;
            changes += i32::from(memory.tier.is_some() && next.tier != memory.tier);
            memory = next;
        }
        prop_assert!(changes <= 1, "{changes} changes");
    }
}
