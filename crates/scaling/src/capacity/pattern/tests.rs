use jiff::civil;

use super::*;

fn hours(values: impl Iterator<Item = f64>) -> Series {
    Series::local(
        civil::date(2024, 1, 1).at(0, 0, 0, 0),
        HOUR,
        Combine::Sum,
        values.collect(),
    )
}

/// A level that wanders, as noise from hour to hour does; no hour of the day is special.
fn wandering(days: u32, seed: u64) -> impl Iterator<Item = f64> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut level = 0.0_f64;
    (0..days * 24).map(move |_| {
        level = 0.9 * level + 0.2 * (random.f64() + random.f64() - 1.0);
        100.0 * level.exp()
    })
}

#[test]
fn a_flat_day_has_no_peak() {
    let mut found = 0;
    for seed in 0..40 {
        let [day, week, _] = patterns(&hours(wandering(60, seed)), Thresholds::default());
        assert!(day.is_real || (day.peaks.is_empty() && (day.multiplier - 1.0).abs() < 1e-12));
        found += u32::from(day.is_real || week.is_real);
    }
    // 5 % of 40, with room for chance.
    assert!(found <= 5, "{found}");
}

#[test]
fn a_day_with_a_busy_morning_has_its_peak_there() {
    let busy = |at: usize| {
        if (9..12).contains(&(at % 24)) {
            1.6
        } else {
            1.0
        }
    };
    let values = wandering(60, 3)
        .enumerate()
        .map(|(at, value)| value * busy(at));
    let [day, ..] = patterns(&hours(values), Thresholds::default());
    assert!(day.is_real);
    for hour in [9, 10, 11] {
        assert!(day.peaks.contains(&hour), "{:?}", day.peaks);
    }
    assert!(
        day.peaks.iter().all(|hour| (7..=13).contains(hour)),
        "{:?}",
        day.peaks
    );
    assert!(day.multiplier > 1.3);
}

#[test]
fn a_winter_season_is_found_with_its_months() {
    let mut random = fastrand::Rng::with_seed(5);
    let months = (0..72).map(|month| {
        let winter = if [10, 11, 0, 1].contains(&(month % 12)) {
            1.5
        } else {
            1.0
        };
        winter * (1000.0 + 10.0 * f64::from(month)) * (0.95 + 0.1 * random.f64())
    });
    let series = Series::local(
        civil::date(2018, 1, 1).at(0, 0, 0, 0),
        MONTH,
        Combine::Sum,
        months.collect(),
    );
    let [day, _, year] = patterns(&series, Thresholds::default());
    assert!(day.unknown.is_some());
    assert!(year.is_real);
    let season = high_season(&year).unwrap();
    assert_eq!((season.from, season.to, season.is_winter), (11, 2, true));
    assert!(
        (season.multiplier - 1.5).abs() < 0.1,
        "{}",
        season.multiplier
    );
}

#[test]
fn one_year_can_not_show_a_season() {
    let series = hours(wandering(366, 1));
    let [.., year] = patterns(&series, Thresholds::default());
    assert!(year.p_value.is_none() && year.unknown.is_some());
    assert_eq!(high_season(&year), None);
}

#[test]
fn the_least_p_value_is_corrected_most() {
    assert_eq!(
        holm(&[Some(0.01), None, Some(0.04)]),
        [Some(0.02), None, Some(0.04)]
    );
    assert_eq!(
        holm(&[Some(0.04), Some(0.03), Some(0.9)]),
        [Some(0.09), Some(0.09), Some(0.9)]
    );
}
