//! Days of a hospital that does not exist, for when there is no trace: dictations by the minute, busy from eight to five with a dip at
//! noon, half as many at weekends. The same each time.

use hysio_scaling::{
    series::{Combine, MINUTE, Series},
    trace::{Report, Trace},
};
use jiff::tz::TimeZone;

const DAYS: usize = 28;
/// Dictations a minute at the busiest.
const MOST: f64 = 40.0;

pub fn trace(zone: TimeZone) -> Trace {
    let mut random = fastrand::Rng::with_seed(1);
    let values = (0..DAYS * 1440).map(|minute| {
        let expected = MOST * hour((minute % 1440) as f64 / 60.0) * weekday(minute / 1440 % 7);
        poisson(expected, &mut random)
    });
    let start = jiff::civil::date(2025, 9, 1).at(0, 0, 0, 0);
    let start = zone
        .to_timestamp(start)
        .expect("no zone skips this midnight");
    let series = Series::new(start, MINUTE, zone, Combine::Sum, values.collect());
    let report = Report {
        column: "dictations".to_owned(),
        rows: series.len() as u64,
        notes: vec![format!("synthetic: {DAYS} days that never were")],
        ..Report::default()
    };
    Trace { series, report }
}

fn hour(hour: f64) -> f64 {
    let bump = |middle: f64, width: f64| (-((hour - middle) / width).powi(2) / 2.0).exp();
    (0.06 + 0.9 * bump(10.5, 1.6) + 0.7 * bump(15.0, 1.7)).min(1.0)
}

/// From Monday.
fn weekday(day: usize) -> f64 {
    [1.0, 0.95, 0.92, 0.95, 0.88, 0.5, 0.45][day]
}

/// By adding up the times between events.
fn poisson(mean: f64, random: &mut fastrand::Rng) -> f64 {
    let (mut count, mut time) = (0.0, 0.0);
    loop {
        time -= (1.0 - random.f64()).ln();
        if time > mean {
            return count;
        }
        count += 1.0;
    }
}
