use std::collections::BTreeMap;

use jiff::Timestamp;

use super::*;
use crate::{
    Reading,
    series::{Combine, Step},
};

fn policy(lead_seconds: i64) -> Policy {
    let settings = Settings {
        name: "sessions".to_owned(),
        resource: Resource::AppInstances,
        signal: "active_sessions".to_owned(),
        per_instance: 100.0,
        jobs: None,
        lead_seconds,
        step_seconds: 3600,
        history_steps: 336,
        percentile: 95.0,
        slack: 1.0,
        most: 20,
    };
    Policy::new(settings, TimeZone::UTC).unwrap()
}

fn snapshot(at: i64, sessions: Option<f64>) -> Snapshot {
    let at = Timestamp::from_second(at).unwrap();
    let reading = match sessions {
        Some(value) => Reading::Value { value, at },
        None => Reading::Missing {
            why: "time-out".to_owned(),
        },
    };
    Snapshot {
        at,
        workloads: BTreeMap::new(),
        signals: BTreeMap::from([("active_sessions".to_owned(), reading)]),
        alerts: BTreeMap::new(),
        emergency: None,
    }
}

/// From 100 sessions at 2 o'clock to 1,100 at 14 o'clock, a tenth more or less.
fn sessions(at: i64) -> f64 {
    let hour = (at % 86_400) as f64 / 3600.0;
    let noise = fastrand::Rng::with_seed(at.unsigned_abs()).f64();
    (0.9 + 0.2 * noise) * (600.0 - 500.0 * (std::f64::consts::TAU * (hour - 2.0) / 24.0).cos())
}

/// Lives through so many steps and gives the last proposal.
fn live(
    policy: &Policy,
    memory: &mut Memory,
    steps: std::ops::Range<i64>,
    sessions: impl Fn(i64) -> Option<f64>,
) -> Wants {
    let mut wants = Wants::Nothing { why: "".into() };
    for step in steps {
        let at = step * 3600 + 1;
        let (proposals, next) = policy.propose(memory, &snapshot(at, sessions(at)));
        *memory = next;
        wants = proposals[0].wants.clone();
    }
    wants
}

#[test]
fn the_floor_rises_before_the_morning_does() {
    let (policy, mut memory) = (policy(7200), Memory::default());
    // Until 7 o'clock of the tenth day, with 470 sessions; two hours later there are 730.
    let wants = live(&policy, &mut memory, 0..9 * 24 + 8, |at| Some(sessions(at)));
    let Wants::AtLeast { count } = wants else {
        panic!("{wants:?}")
    };
    assert!((8..=10).contains(&count), "{count}");
    // At 22 o'clock.
    let wants = live(&policy, &mut memory, 9 * 24 + 8..9 * 24 + 23, |at| {
        Some(sessions(at))
    });
    let Wants::AtLeast { count } = wants else {
        panic!("{wants:?}")
    };
    assert!(count <= 5, "{count}");
}

#[test]
fn without_history_it_says_nothing() {
    let (policy, mut memory) = (policy(3600), Memory::default());
    let wants = live(&policy, &mut memory, 0..6, |at| Some(sessions(at)));
    assert!(
        matches!(wants, Wants::Nothing { ref why } if why.contains("too short")),
        "{wants:?}"
    );
}

#[test]
fn an_outage_of_the_metric_does_not_lower_the_floor() {
    let (policy, mut memory) = (policy(3600), Memory::default());
    live(&policy, &mut memory, 0..9 * 24 + 10, |at| {
        Some(sessions(at))
    });
    let wants = live(&policy, &mut memory, 9 * 24 + 10..9 * 24 + 12, |_| None);
    let Wants::AtLeast { count } = wants else {
        panic!("{wants:?}")
    };
    assert!(count >= 8, "{count}");
}

#[test]
fn it_is_off_while_it_loses_to_the_seasonal_naive() {
    // A comb that repeats exactly each week, which the naive knows and no few waves can follow.
    let comb = |at: i64| {
        Some(if at / 3600 * 7919 % 11 < 2 {
            3000.0
        } else {
            100.0
        })
    };
    let weekly = |at: i64| comb(at % (7 * 86_400));
    let (policy, mut memory) = (policy(3600), Memory::default());
    let wants = live(&policy, &mut memory, 0..20 * 24, weekly);
    assert!(
        matches!(wants, Wants::Nothing { ref why } if why.contains("switched off")),
        "{wants:?}"
    );
}

#[test]
fn a_memory_that_was_stored_gives_the_same_bytes() {
    let policy = policy(7200);
    let (mut kept, mut stored) = (Memory::default(), Memory::default());
    for step in 0..250 {
        let at = step * 3600 + 7;
        let seen = snapshot(at, Some(sessions(at) + 0.1 * (step % 7) as f64));
        let (a, next) = policy.propose(&kept, &seen);
        kept = next;
        let (b, next) = policy.propose(&stored, &seen);
        stored = serde_json::from_str(&serde_json::to_string(&next).unwrap()).unwrap();
        assert_eq!(
            serde_json::to_string(&a).unwrap(),
            serde_json::to_string(&b).unwrap()
        );
    }
    assert_eq!(kept, stored);
}

#[test]
fn the_memory_stays_small_however_long_it_lives_and_through_a_long_gap() {
    let mut settings = policy(3600).settings;
    settings.history_steps = 96;
    let policy = Policy::new(settings, TimeZone::UTC).unwrap();
    let mut memory = Memory::default();
    live(&policy, &mut memory, 0..500, |at| Some(sessions(at)));
    let size = serde_json::to_string(&memory).unwrap().len();
    live(&policy, &mut memory, 500..1000, |at| Some(sessions(at)));
    live(&policy, &mut memory, 10_000_000..10_000_002, |at| {
        Some(sessions(at))
    });
    assert!(serde_json::to_string(&memory).unwrap().len() <= size + 100);
    assert_eq!(memory.values().len(), 96);
}

#[test]
fn what_is_learnt_is_of_two_whole_weeks_and_learnt_once_an_hour() {
    let mut settings = policy(600).settings;
    (settings.step_seconds, settings.history_steps) = (300, 4032);
    let policy = Policy::new(settings, TimeZone::UTC).unwrap();
    let each = policy.settings.learnt_steps();
    let seen = |step: i64| f64::from(u8::try_from(step % 12).unwrap());
    let history = |steps: i64| {
        let values = (0..steps).map(seen).collect();
        let (start, step) = (Timestamp::UNIX_EPOCH, Step::Seconds(300));
        Series::new(start, step, TimeZone::UTC, Combine::Mean, values)
    };
    for now in 4100..4112 {
        let mut memory = policy.remembering(&history(now));
        memory.moves_to(now, &policy.settings);
        let past = ahead::Past::of(&policy.settings, &memory);
        let learnt = past.settled(each);
        let first = now / 12 * 12 - 4032;
        assert_eq!((learnt.values.len(), learnt.first), (4032, first));
        assert!(past.values.len() >= 4032 && past.first + past.values.len() as i64 == now);
        let steps = (first..first + 4032).map(seen);
        assert_eq!(learnt.values, steps.collect::<Vec<_>>());
        let season = learnt.whole(policy.settings.season_steps());
        assert_eq!((season.values.len(), season.first), (1344, first / 3));
        let quarters = (0..1344).map(|at| seen(3 * (season.first + at) + 1));
        assert_eq!(season.values, quarters.collect::<Vec<_>>());
    }
}

#[test]
fn a_memory_of_another_signal_or_of_other_steps_is_forgotten() {
    let before = policy(3600);
    let mut memory = Memory::default();
    live(&before, &mut memory, 0..200, |at| Some(sessions(at)));
    assert!(before.remembers(&memory));
    let with = |change: fn(&mut Settings)| {
        let mut settings = before.settings.clone();
        change(&mut settings);
        Policy::new(settings, TimeZone::UTC).unwrap()
    };
    // What it is for is what may change.
    assert!(with(|it| it.percentile = 80.0).remembers(&memory));
    for other in [
        with(|it| it.signal = "transcription_queue".to_owned()),
        with(|it| it.step_seconds = 7200),
    ] {
        assert!(!other.remembers(&memory));
        let at = snapshot(200 * 3600, Some(5.0));
        let (_, anew) = other.propose(&memory, &at);
        assert!(other.remembers(&anew));
        assert_eq!(anew.known(), 0);
        // It goes on from there.
        let (_, next) = other.propose(&anew, &snapshot(202 * 3600, Some(5.0)));
        assert!(other.remembers(&next));
    }
}

#[test]
fn settings_that_make_no_sense_are_refused_by_name() {
    let settings = policy(3600).settings;
    for (wrong, name) in [
        (
            Settings {
                per_instance: 0.0,
                ..settings.clone()
            },
            "per_instance",
        ),
        (
            Settings {
                lead_seconds: -1,
                ..settings.clone()
            },
            "lead_seconds",
        ),
        (
            Settings {
                history_steps: 1,
                ..settings.clone()
            },
            "history_steps",
        ),
        (
            Settings {
                most: 0,
                ..settings
            },
            "most",
        ),
    ] {
        assert!(wrong.check().unwrap_err().contains(name));
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(40))]
    #[test]
    fn it_is_never_a_reason_to_shrink(values in proptest::collection::vec(proptest::option::of(0.0..1e5_f64), 1..150), skip in 1..5_i64) {
        let (policy, mut memory) = (policy(3600), Memory::default());
        for (step, value) in values.into_iter().enumerate() {
            let at = i64::try_from(step).unwrap() * 3600 * skip;
            let (proposals, next) = policy.propose(&memory, &snapshot(at, value));
            memory = next;
            for proposal in proposals {
                let harmless = match proposal.wants {
                    Wants::AtLeast { count } => (0..=20).contains(&count),
                    Wants::Nothing { .. } => true,
                    Wants::Count { .. } | Wants::Hold { .. } => false,
                };
                proptest::prop_assert!(harmless);
            }
        }
    }
}

#[test]
fn a_policy_that_is_given_its_history_forecasts_as_one_that_lived_through_it() {
    let policy = policy(7200);
    let mut lived = Memory::default();
    live(&policy, &mut lived, 0..9 * 24, |at| Some(sessions(at)));
    let seen: Vec<f64> = (0..9 * 24).map(|step| sessions(step * 3600 + 1)).collect();
    let start = Timestamp::UNIX_EPOCH;
    let history = Series::new(
        start,
        Step::Seconds(3600),
        TimeZone::UTC,
        Combine::Mean,
        seen,
    );
    let mut given = policy.remembering(&history);
    let next = 9 * 24..9 * 24 + 1;
    let expected = live(&policy, &mut lived, next.clone(), |at| Some(sessions(at)));
    let got = live(&policy, &mut given, next, |at| Some(sessions(at)));
    assert!(matches!(got, Wants::AtLeast { .. }), "{got:?}");
    assert_eq!(got, expected);
}

/// Where clocks are put on by an hour in the night to the 31st of March.
fn in_the_netherlands() -> Policy {
    let zone = TimeZone::get("Europe/Amsterdam").unwrap();
    Policy::new(policy(7200).settings, zone).unwrap()
}

#[test]
fn forecasts_that_are_kept_are_those_that_would_be_made() {
    let fresh = policy(7200);
    let mut keeping = policy(7200);
    keeping.keep(&Kept::default());
    // With another lead and elsewhere from the same store, and once more.
    let mut longer = policy(14_400);
    longer.kept.clone_from(&keeping.kept);
    let mut elsewhere = in_the_netherlands();
    elsewhere.kept.clone_from(&keeping.kept);
    for (kept, made) in [
        (&longer, &policy(14_400)),
        (&keeping, &fresh),
        (&elsewhere, &in_the_netherlands()),
        (&keeping, &fresh),
    ] {
        let (mut ours, mut theirs) = (Memory::default(), Memory::default());
        // From the 24th of March 2024.
        let steps = 19_806 * 24..19_815 * 24 + 8;
        // Where nobody comes at first, all pasts look alike.
        let quiet = steps.start + 80;
        let seen = |at| Some(if at < quiet { 0.0 } else { sessions(at) });
        live(kept, &mut ours, steps.clone(), seen);
        live(made, &mut theirs, steps, seen);
        assert_eq!(ours, theirs);
    }
}

/// From 540 to 660 sessions, by chance.
fn noise(at: i64) -> f64 {
    let noise = fastrand::Rng::with_seed(at.unsigned_abs()).f64();
    600.0 * (0.9 + 0.2 * noise)
}

/// How often the floor changes in the last five of fifteen days, and how often less is there than comes.
fn restlessness(percentile: f64, slack: f64) -> (usize, usize) {
    let mut settings = policy(3600).settings;
    (settings.percentile, settings.slack, settings.most) = (percentile, slack, 100);
    settings.per_instance = 20.0;
    let (policy, mut memory) = (
        Policy::new(settings, TimeZone::UTC).unwrap(),
        Memory::default(),
    );
    let mut floors = Vec::new();
    let mut short = 0;
    for step in 0..15 * 24 {
        let due = floors.last().copied().unwrap_or(i32::MAX);
        short += usize::from(step >= 240 && f64::from(due) * 20.0 < noise(step * 3600 + 1));
        let wants = live(&policy, &mut memory, step..step + 1, |at| Some(noise(at)));
        if let Wants::AtLeast { count } = wants {
            floors.push(count);
        }
    }
    let last = &floors[floors.len() - 120..];
    (
        last.windows(2).filter(|pair| pair[0] != pair[1]).count(),
        short,
    )
}

#[test]
fn with_slack_the_floor_moves_less_often_and_still_suffices() {
    let (restless, _) = restlessness(95.0, 0.0);
    let (calm, short) = restlessness(95.0, 2.0);
    assert!(calm * 2 < restless, "{calm} of {restless}");
    // A twentieth of 120 hours and what luck may add; half of the slack is given away upwards.
    assert!(short <= 24, "{short}");
}

#[test]
fn the_percentile_is_what_a_miss_costs() {
    let ((_, often), (_, seldom)) = (restlessness(50.0, 0.0), restlessness(99.0, 0.0));
    assert!(often > 35 && seldom < 12, "{often} {seldom}");
}

#[test]
fn less_is_risked_where_less_is_there() {
    let mut settings = policy(3600).settings;
    (settings.percentile, settings.slack) = (80.0, 0.0);
    (settings.per_instance, settings.most) = (1.0, 5000);
    let policy = Policy::new(settings, TimeZone::UTC).unwrap();
    let mut memory = Memory::default();
    let mut due = i32::MAX;
    let mut misses = Vec::new();
    for step in 0..60 * 24 {
        let came = sessions(step * 3600 + 1);
        misses.push((step, came, f64::from(due) < came));
        let wants = live(&policy, &mut memory, step..step + 1, |at| {
            Some(sessions(at))
        });
        if let Wants::AtLeast { count } = wants {
            due = count;
        }
    }
    let share = |least: f64, most: f64| {
        let there = misses
            .iter()
            .filter(|(step, came, _)| *step >= 240 && (least..most).contains(came));
        let missed = there.clone().filter(|(_, _, missed)| *missed).count();
        missed as f64 / there.count() as f64
    };
    let (night, day) = (share(0.0, 300.0), share(900.0, 2000.0));
    assert!(night < 0.6 * day && day < 0.5, "{night} {day}");
}

#[test]
fn with_jobs_instances_are_counted_by_queueing() {
    let mut settings = policy(3600).settings;
    settings.per_instance = 2000.0;
    let plain = Policy::new(settings.clone(), TimeZone::UTC).unwrap();
    settings.jobs = Some(Jobs {
        seconds: 2.0,
        cv: 0.8,
        share: 0.95,
        within_seconds: 10.0,
    });
    let staffed = Policy::new(settings, TimeZone::UTC).unwrap();
    // 1,100 sessions keep one instance busy for more than half of the time: another must be there for those who would wait.
    let [plain, staffed] = [plain, staffed].map(|policy| {
        live(&policy, &mut Memory::default(), 0..9 * 24 + 13, |at| {
            Some(sessions(at))
        })
    });
    assert_eq!(plain, Wants::AtLeast { count: 1 });
    assert_eq!(staffed, Wants::AtLeast { count: 2 });
}
