use jiff::civil;

use super::*;

fn sessions(days: usize, level: impl Fn(f64) -> f64) -> Series {
    let value = |hour: usize| {
        let day = std::f64::consts::TAU * (hour % 24) as f64 / 24.0;
        level(hour as f64 / 24.0 / YEAR_DAYS) * (1.0 - 0.5 * day.cos()) + (hour * 7919 % 13) as f64
    };
    let values = (0..days * 24).map(value).collect();
    Series::local(
        civil::date(2021, 1, 1).at(0, 0, 0, 0),
        HOUR,
        Combine::Mean,
        values,
    )
}

#[test]
fn two_days_have_48_hours_with_room_for_their_demand() {
    let series = sessions(70, |_| 1000.0);
    let short = short(&series, &Settings::default()).unwrap();
    assert_eq!(short.points.len(), 48);
    for point in &short.points {
        assert!(f64::from(point.instances) * 100.0 >= point.demand.p95());
        assert!(
            f64::from(point.instances - 1) * 100.0 < point.demand.p95() || point.instances == 3
        );
    }
    assert!(short.cost_followed < short.cost_at_peak);
    assert_ne!(short.choice.chosen, Model::SeasonalNaive);
}

#[test]
fn months_grow_as_years_did_and_not_as_the_season_does() {
    let winter = |year: f64| 1.0 + 0.3 * (std::f64::consts::TAU * year).cos();
    let series = sessions(4 * 365 + 1, |year| {
        1000.0 * 1.1_f64.powf(year) * winter(year)
    });
    let long = long(&series, 12, &Settings::default()).unwrap();
    assert_eq!(long.months.len(), 12);
    assert!(
        (long.growth.unwrap() - 0.1).abs() < 0.02,
        "{:?}",
        long.growth
    );
    let [low, high] = long.growth_interval.unwrap();
    assert!(low < 0.1 && 0.1 < high && high - low < 0.2, "{low} {high}");
    assert_eq!(long.months[0].month, civil::date(2025, 1, 1));
    assert!(long.unknown.is_empty(), "{:?}", long.unknown);
    let (january, july) = (long.months[0].demand.mean, long.months[6].demand.mean);
    assert!(
        (january / july - 1.3 / 0.7 / 1.1_f64.sqrt()).abs() < 0.15,
        "{}",
        january / july
    );
}

#[test]
fn a_week_of_history_says_what_can_not_be_known() {
    let long = long(&sessions(7, |_| 1000.0), 12, &Settings::default()).unwrap();
    assert_eq!(long.choice, None);
    assert_eq!(long.growth, None);
    assert!(
        long.unknown.iter().any(|it| it.contains("assumed")),
        "{:?}",
        long.unknown
    );
    assert!(long.months[11].demand.p95() > 1.2 * long.months[11].demand.mean);
}

#[test]
fn budget_and_quota_are_warned_of_with_the_month() {
    let settings = Settings {
        budget: Some(3_000.0),
        quota: Some(5),
        ..Settings::default()
    };
    let long = long(&sessions(70, |_| 1000.0), 12, &settings).unwrap();
    assert_eq!(long.warnings.len(), 2, "{:?}", long.warnings);
    assert!(
        long.warnings.iter().all(|it| it.contains("2021-03")),
        "{:?}",
        long.warnings
    );
}
