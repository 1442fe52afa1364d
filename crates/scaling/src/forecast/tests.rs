use jiff::civil;

use super::*;
use crate::{
    forecast::backtest::Plan,
    series::{Combine, DAY, HOUR, MONTH},
};

/// Poisson arrivals with a daily and a weekly profile.
fn arrivals(weeks: usize, mean: f64, seed: u64) -> Series {
    let mut random = fastrand::Rng::with_seed(seed);
    let values = (0..weeks * 168).map(|hour| poisson(rate(hour, mean), &mut random));
    Series::local(
        civil::date(2024, 1, 1).at(0, 0, 0, 0),
        HOUR,
        Combine::Sum,
        values.collect(),
    )
}

fn rate(hour: usize, mean: f64) -> f64 {
    let day = std::f64::consts::TAU * (hour % 24) as f64 / 24.0;
    let weekend = if (hour / 24) % 7 >= 5 { 0.85 } else { 1.06 };
    mean * weekend * (-0.6 * (day - 0.8).cos() + 0.2 * (2.0 * day).sin()).exp() * 0.91
}

fn poisson(mean: f64, random: &mut fastrand::Rng) -> f64 {
    let (limit, mut product, mut count) = ((-mean).exp(), random.f64(), 0.0);
    while product > limit {
        product *= random.f64();
        count += 1.0;
    }
    count
}

#[test]
fn arrivals_are_forecast_better_than_by_the_naive_and_with_honest_intervals() {
    let series = arrivals(20, 6.0, 1);
    let plan = Plan::fit(series.len(), 8 * 168, 48, 40).unwrap();
    let ours = backtest(&series, Model::FourierRegression, plan, Holidays::NONE).unwrap();
    let naive = backtest(&series, Model::SeasonalNaive, plan, Holidays::NONE).unwrap();
    assert!(ours.wape < 0.8 * naive.wape, "{} {}", ours.wape, naive.wape);
    assert!(
        ours.pinball95 < 0.8 * naive.pinball95,
        "{} {}",
        ours.pinball95,
        naive.pinball95
    );
    assert!(
        (0.94..0.975).contains(&ours.coverage95),
        "{}",
        ours.coverage95
    );
}

#[test]
fn what_is_forecast_of_plain_arrivals_is_their_rate() {
    let series = arrivals(8, 6.0, 2);
    let ahead = Model::FourierRegression
        .forecast(&series, 168, Holidays::NONE)
        .unwrap();
    let errors: f64 = ahead
        .iter()
        .enumerate()
        .map(|(at, ahead)| (ahead.mean - rate(series.len() + at, 6.0)).abs())
        .sum();
    assert!(errors / 168.0 < 0.5, "{}", errors / 168.0);
}

#[test]
fn growth_is_not_taken_for_the_season() {
    // 6 % a year, and winters that are half again as busy.
    let values = (0..60).map(|month| {
        let year = f64::from(month) / 12.0;
        1000.0 * 1.06_f64.powf(year) * (1.0 + 0.5 * (std::f64::consts::TAU * year).cos())
    });
    let series = Series::local(
        civil::date(2019, 1, 1).at(0, 0, 0, 0),
        MONTH,
        Combine::Sum,
        values.collect(),
    );
    let fit = regression::Fit::new(&series, Holidays::NONE).unwrap();
    let (growth, years) = fit.growth().unwrap();
    assert_eq!(years, 5);
    assert!((growth - 0.06).abs() < 0.01, "{growth}");
    let ahead = fit.ahead(12);
    let next = 1000.0 * 1.06_f64.powi(5) * 1.5;
    assert!(
        (ahead[0].mean / next - 1.0).abs() < 0.05,
        "{} {next}",
        ahead[0].mean
    );
}

#[test]
fn with_one_year_nothing_is_said_about_growth() {
    let series = Series::local(
        civil::date(2023, 1, 1).at(0, 0, 0, 0),
        DAY,
        Combine::Sum,
        vec![40.0; 365],
    );
    assert_eq!(
        regression::Fit::new(&series, Holidays::NONE)
            .unwrap()
            .growth(),
        None
    );
}

#[test]
fn an_outage_is_not_taken_for_a_lack_of_patients() {
    let series = arrivals(8, 600.0, 3);
    let mut values = series.values().to_vec();
    let before = values.len() - 60;
    values[before..before + 10].fill(0.0);
    let with_outage = Series::local(
        civil::date(2024, 1, 1).at(0, 0, 0, 0),
        HOUR,
        Combine::Sum,
        values,
    );
    let mean = |series: &Series| {
        Model::FourierRegression
            .forecast(series, 24, Holidays::NONE)
            .unwrap()
            .iter()
            .map(|it| it.mean)
            .sum::<f64>()
    };
    assert!((mean(&with_outage) / mean(&series) - 1.0).abs() < 0.03);
}

#[test]
fn a_history_that_is_too_short_says_so() {
    for model in Model::ALL {
        let series = Series::local(
            civil::date(2024, 1, 1).at(0, 0, 0, 0),
            HOUR,
            Combine::Sum,
            vec![f64::NAN; 5],
        );
        assert!(
            model.forecast(&series, 2, Holidays::NONE).is_err(),
            "{model}"
        );
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(60))]
    #[test]
    fn quantiles_are_ordered_finite_and_not_negative(
        values in proptest::collection::vec(proptest::prop_oneof![4 => 0.0..1e6_f64, 1 => proptest::prelude::Just(f64::NAN), 1 => proptest::prelude::Just(0.0)], 10..200),
        step in proptest::sample::select(vec![HOUR, DAY, MONTH]),
    ) {
        let series = Series::local(civil::date(2020, 1, 1).at(0, 0, 0, 0), step, Combine::Sum, values);
        for model in Model::ALL {
            let Ok(ahead) = model.forecast(&series, 30, Holidays::of(crate::season::Country::Netherlands)) else { continue };
            proptest::prop_assert_eq!(ahead.len(), 30);
            for it in ahead {
                proptest::prop_assert!(it.mean.is_finite() && it.mean >= 0.0);
                proptest::prop_assert!(it.quantiles.iter().all(|q| q.is_finite() && *q >= 0.0), "{:?} {}", it, model);
                proptest::prop_assert!(it.quantiles.is_sorted(), "{:?} {}", it, model);
            }
        }
    }
}
