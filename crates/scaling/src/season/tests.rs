use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::matrix;

const SHIPPED: &str = include_str!("../../../../config/scaling-matrix.yaml");

fn policy() -> Policy {
    Policy::parse("scaling-matrix.yaml", SHIPPED).unwrap()
}

fn with(from: &str, to: &str) -> Policy {
    let text = SHIPPED.replacen(from, to, 1);
    assert_ne!(text, SHIPPED);
    Policy::parse("m.yaml", &text).unwrap()
}

fn at(text: &str) -> Timestamp {
    let zoned: jiff::Zoned = format!("{text}[Europe/Amsterdam]").parse().unwrap();
    zoned.timestamp()
}

fn proposals(policy: &Policy, at: Timestamp, index: usize) -> Vec<Proposal> {
    let tiers = matrix::Policy::parse("m.yaml", SHIPPED).unwrap();
    let snapshot = Snapshot {
        at,
        workloads: BTreeMap::new(),
        signals: BTreeMap::new(),
        alerts: BTreeMap::new(),
        emergency: None,
    };
    policy.propose(&tiers.tiers()[index], &snapshot)
}

fn wants(proposals: &[Proposal], resource: Resource) -> Option<i32> {
    let one = proposals.iter().find(|one| one.resource == resource)?;
    match one.wants {
        Wants::AtLeast { count } => Some(count),
        _ => None,
    }
}

#[test]
fn the_seeds_multipliers_multiply_round_up_and_add_workers_in_the_flu_season() {
    for (when, tier, apps, transcription) in [
        ("2026-11-25T12:00", 0, Some(9), Some(9)), // 3 × 3, 2 × 3 + 3
        ("2026-11-25T20:00", 0, Some(5), Some(6)), // 3 × 1.5 up, 2 × 1.5 + 3
        ("2026-07-01T12:00", 0, Some(6), Some(4)), // 3 × 2
        ("2026-07-01T20:00", 0, None, None),
        ("2026-07-04T12:00", 0, None, None),       // Saturday
        ("2026-04-06T12:00", 0, None, None),       // Easter Monday
        ("2026-12-25T12:00", 1, Some(8), Some(9)), // Christmas, in the flu season
        ("2026-03-31T23:59", 0, Some(5), Some(6)),
        ("2026-04-01T00:00", 0, None, None),
        ("2026-09-30T23:59", 0, None, None),
        ("2026-10-01T00:00", 0, Some(5), Some(6)),
    ] {
        let proposals = proposals(&policy(), at(when), tier);
        assert_eq!(wants(&proposals, Resource::AppInstances), apps, "{when}");
        assert_eq!(
            wants(&proposals, Resource::TranscriptionWorkers),
            transcription,
            "{when}"
        );
        assert!(
            proposals
                .iter()
                .all(|proposal| proposal.resource.is_processes())
        );
        assert!(!proposals[0].evidence.is_empty());
    }
}

#[test]
fn business_hours_begin_a_lead_time_early_and_end_on_time() {
    for (when, expected) in [
        ("2026-07-01T07:44:59", false),
        ("2026-07-01T07:45", true),
        ("2026-07-01T17:59:59", true),
        ("2026-07-01T18:00", false),
    ] {
        assert_eq!(policy().active(at(when)).business_hours, expected, "{when}");
    }
}

#[test]
fn wall_clock_times_hold_on_the_days_when_the_clocks_change() {
    let daily = with("[monday, ", "[sunday, monday, ");
    for (before, after) in [("2026-03-28", "2026-03-30"), ("2026-10-24", "2026-10-26")] {
        let mut moment = at(&format!("{before}T20:00"));
        let mut seen = Vec::new();
        while moment < at(&format!("{after}T00:00")) {
            moment = daily.next_change(moment).unwrap();
            seen.push(
                moment
                    .to_zoned(daily.zone.clone())
                    .strftime("%d %H:%M")
                    .to_string(),
            );
        }
        let day = &after[8..];
        let sunday = format!("{:02}", day.parse::<i32>().unwrap() - 1);
        assert_eq!(
            seen,
            [
                format!("{sunday} 07:45"),
                format!("{sunday} 18:00"),
                format!("{day} 07:45")
            ]
        );
    }
    let skipped = with("08:00-18:00", "02:30-04:00");
    let skipped = Policy {
        weekdays: vec![Weekday::Sunday],
        lead_minutes: 0,
        ..skipped
    };
    assert!(skipped.active(at("2026-03-29T03:30")).business_hours);
    assert!(!skipped.active(at("2026-03-29T03:29")).business_hours);
}

#[test]
fn the_next_change_passes_over_weekends_and_holidays_and_knows_the_season() {
    for (after, expected) in [
        ("2026-07-03T18:00", "2026-07-06T07:45"),
        ("2026-12-24T18:00", "2026-12-28T07:45"),
        ("2026-09-30T18:00", "2026-10-01T00:00"),
        ("2026-07-01T07:45", "2026-07-01T18:00"),
    ] {
        assert_eq!(
            policy().next_change(at(after)),
            Some(at(expected)),
            "{after}"
        );
    }
    let bare = SHIPPED
        .split("healthcare_specific_scaling:")
        .next()
        .unwrap();
    let bare = Policy::parse("m.yaml", bare).unwrap();
    assert_eq!(bare.next_change(at("2026-07-01T08:00")), None);
}

#[test]
fn hours_may_pass_midnight_and_belong_to_the_day_that_they_begin_on() {
    let night = with("08:00-18:00", "22:00-06:00, 12:00-24:00");
    for (when, expected) in [
        ("2026-07-03T23:30", true),
        ("2026-07-04T05:59", true), // Friday's night
        ("2026-07-04T06:00", false),
        ("2026-07-04T22:30", false), // Saturday
        ("2026-07-06T05:00", false), // Sunday's night
        ("2026-07-06T11:45", true),
    ] {
        assert_eq!(night.active(at(when)).business_hours, expected, "{when}");
    }
}

#[test]
fn bad_calendars_are_refused_with_their_line() {
    for (from, to, part) in [
        ("October-March", "October to March", "is no span of months"),
        ("October-March", "Oktober-March", "is no span of months"),
        ("08:00-18:00", "08:00-25:00", "is no span of hours"),
        ("08:00-18:00", "8-18", "is no span of hours"),
        ("08:00-18:00", "08:00-08:00", "is no span of hours"),
        ("multiplier: 2.0", "multiplier: 0.5", "is out of range"),
        (
            "additional_workers: 3",
            "additional_workers: -3",
            "is out of range",
        ),
        ("Europe/Amsterdam", "Europe/Amsterdan", "is no time zone"),
        (
            "monday, tuesday",
            "moonday, tuesday",
            "is no day of the week",
        ),
        ("[NL]", "[XX]", "is not known here"),
        ("holidays: []", "holidays: [2026-02-30]", "is no date"),
        ("lead_minutes: 15", "lead_minutes: 1500", "is out of range"),
        ("lead_minutes: 15", "lead: 15", "unknown field `lead`"),
    ] {
        let text = SHIPPED.replacen(from, to, 1);
        let line = SHIPPED[..SHIPPED.find(from).unwrap()].matches('\n').count() + 1;
        let error = Policy::parse("m.yaml", &text).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert!(
            error.to_string().starts_with(&format!("m.yaml:{line}: ")),
            "{error}"
        );
    }
}

proptest! {
    #[test]
    fn nothing_changes_before_the_next_change_and_something_does_then(second in 1_767_000_000..1_830_000_000_i64, share in 0.0..1.0_f64) {
        let policy = policy();
        let after = Timestamp::from_second(second).unwrap();
        let next = policy.next_change(after).unwrap();
        prop_assert!(next > after);
        prop_assert_ne!(policy.active(next), policy.active(after));
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "seconds of a year")]
        let between = second + ((next.as_second() - second) as f64 * share) as i64;
        prop_assume!(between < next.as_second());
        let between = Timestamp::from_second(between).unwrap();
        prop_assert_eq!(policy.active(between), policy.active(after));
    }
}
