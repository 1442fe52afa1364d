use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(crate) fn change() -> Change {
    Change {
        id: TransactionId::new(),
        resource: hysio_scaling::Resource::TranscriptionWorkers,
        old: 2,
        new: 5,
        justification: "47 dictations wait".into(),
        user: "scaler".into(),
        pid: 7,
        generation: 3,
        plan: None,
        ready_within_seconds: 30,
        took_over: None,
    }
}

fn one_of_each() -> Vec<Event> {
    let report = Report::default();
    let baseline = Baseline {
        records: Ok("ab".into()),
        records_until: at(1),
        service: Err("none".into()),
        counters: Counters::default(),
    };
    vec![
        Event::Initiated {
            at: at(0),
            change: change(),
        },
        Event::GatesPassed {
            at: at(1),
            report: report.clone(),
            baseline,
        },
        Event::GateRefused {
            at: at(1),
            report: report.clone(),
        },
        Event::Applied { at: at(2) },
        Event::NotApplied {
            at: at(2),
            why: "away".into(),
        },
        Event::Ready {
            at: at(3),
            ready: 5,
        },
        Event::NotReady {
            at: at(3),
            why: "late".into(),
        },
        Event::Verified {
            at: at(4),
            report: report.clone(),
        },
        Event::ComplianceFailed { at: at(4), report },
        Event::RolledBack {
            at: at(5),
            count: 2,
        },
        Event::Stuck {
            at: at(5),
            why: "away".into(),
        },
        Event::Superseded { at: at(6), by: 9 },
    ]
}

/// Every pair of phase and event, and what follows: everything that is not in this table is illegal.
#[test]
fn the_table_of_what_may_follow_what() {
    let legal = [
        ("gating", "gates_passed", "applying"),
        ("gating", "gate_refused", "failed"),
        ("gating", "superseded", "superseded"),
        ("applying", "applied", "waiting"),
        ("applying", "not_applied", "rolling_back"),
        ("applying", "superseded", "superseded"),
        ("waiting", "ready", "verifying"),
        ("waiting", "not_ready", "rolling_back"),
        ("waiting", "superseded", "superseded"),
        ("verifying", "verified", "completed"),
        ("verifying", "compliance_failed", "rolling_back"),
        ("verifying", "superseded", "superseded"),
        ("rolling_back", "rolled_back", "rolled_back"),
        ("rolling_back", "stuck", "rolling_back"),
        ("rolling_back", "superseded", "superseded"),
    ];
    let events = one_of_each();
    let begun = State::begin(&events[0]).unwrap();
    let mut found = Vec::new();
    for phase in Phase::ALL {
        for event in &events {
            let state = State {
                phase,
                ..begun.clone()
            };
            if let Ok(after) = state.apply(event) {
                assert_eq!(after.seq, 2);
                found.push((phase.as_str(), event.name(), after.phase.as_str()));
            }
        }
    }
    found.sort_unstable();
    let mut expected = legal.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

/// The change that it took over from may have set the target.
#[test]
fn a_refused_change_that_took_over_restores_what_was_there_before_both() {
    let events = one_of_each();
    let begun = State::begin(&events[0]).unwrap();
    let mut change = change();
    change.took_over = Some(TransactionId::new());
    let state = State {
        change: change.clone(),
        ..begun
    };
    let refused = state.apply(&events[2]).unwrap();
    assert_eq!(refused.phase, Phase::RollingBack);
    assert_eq!(refused.rolling_back_since, Some(at(1)));
    let said: Vec<_> = audit_words(&change, &events[2])
        .into_iter()
        .map(|entry| entry.action)
        .collect();
    assert_eq!(said, ["scaling.FAILED", "scaling.ROLLBACK_INITIATED"]);
}

#[test]
fn only_an_initiation_begins_a_log_and_an_empty_one_is_refused() {
    for event in &one_of_each()[1..] {
        assert!(State::begin(event).is_err());
    }
    assert!(State::of(&[]).is_err());
}

#[test]
fn there_is_a_next_step_exactly_until_an_end() {
    let begun = State::begin(&one_of_each()[0]).unwrap();
    for phase in Phase::ALL {
        let state = State {
            phase,
            ..begun.clone()
        };
        assert_eq!(next_step(&state).is_none(), phase.is_end());
    }
}

#[test]
fn a_rollback_keeps_why_and_since_when() {
    let events = one_of_each();
    let log = [
        events[0].clone(),
        events[1].clone(),
        events[3].clone(),
        events[6].clone(),
        events[10].clone(),
    ];
    let state = State::of(&log).unwrap();
    assert_eq!(state.rolling_back_since, Some(at(3)));
    assert!(state.stuck);
    assert_eq!(state.trouble.as_deref(), Some("away"));
}

#[test]
fn every_event_leaves_the_seeds_word_with_its_fields() {
    let change = change();
    let said: Vec<String> = one_of_each()
        .iter()
        .flat_map(|event| audit_words(&change, event))
        .map(|entry| {
            for field in ["action", "old", "new", "justification", "user", "pid"] {
                assert!(entry.details.get(field).is_some(), "{field} is missing");
            }
            entry.action
        })
        .collect();
    for word in [
        "INITIATED",
        "FAILED",
        "COMPLETED",
        "COMPLIANCE_FAILURE",
        "ROLLBACK_INITIATED",
        "ROLLBACK_COMPLETED",
        "SUPERSEDED",
        "STUCK",
    ] {
        assert!(said.contains(&format!("scaling.{word}")), "{word}");
    }
}

#[test]
fn an_event_is_read_back_as_it_was_written() {
    for event in one_of_each() {
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
    }
}
