//! What a history says about planning: its patterns, its busy season, and the capacity that its peaks take.

use serde::Serialize;

use super::pattern::{self, HighSeason, Pattern, Thresholds};
use crate::{Resource, capacity::outlook::in_planning_steps, series::Series};

/// The seed's capacity outside of busy hours.
pub const BASE: [(Resource, u32); 4] = [
    (Resource::AppInstances, 3),
    (Resource::TranscriptionWorkers, 2),
    (Resource::DiagnosisWorkers, 2),
    (Resource::DbConnections, 50),
];

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Analysis {
    pub step: String,
    pub span_days: f64,
    pub mean: f64,
    pub peak: f64,
    pub day: Pattern,
    pub week: Pattern,
    pub year: Pattern,
    pub high_season: Option<HighSeason>,
    /// Busy hours of busy weekdays over the mean.
    pub peak_multiplier: f64,
    pub recommended: Vec<Recommended>,
}

/// Capacity of one resource, rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Recommended {
    pub resource: Resource,
    pub base: u32,
    pub peak: u32,
    /// In busy hours of the busy season; as `peak` where there is none.
    pub peak_in_season: u32,
}

#[must_use]
pub fn analyse(series: &Series, thresholds: Thresholds) -> Analysis {
    let series = in_planning_steps(series);
    let [day, week, year] = pattern::patterns(&series, thresholds);
    let high_season = pattern::high_season(&year);
    let peak_multiplier = day.multiplier * week.multiplier;
    let season = high_season.as_ref().map_or(1.0, |_| year.multiplier);
    let recommended = BASE.map(|(resource, base)| Recommended {
        resource,
        base,
        peak: times(base, peak_multiplier),
        peak_in_season: times(base, peak_multiplier * season),
    });
    let known = series.values().iter().filter(|value| !value.is_nan());
    Analysis {
        step: series.step().to_string(),
        span_days: series.span_days(),
        mean: known.clone().sum::<f64>() / series.known().max(1) as f64,
        peak: known.copied().fold(0.0, f64::max),
        day,
        week,
        year,
        high_season,
        peak_multiplier,
        recommended: recommended.to_vec(),
    }
}

/// Rounded up: what is cut off is missing when it is needed.
fn times(base: u32, multiplier: f64) -> u32 {
    (f64::from(base) * multiplier - 1e-9).ceil() as u32
}

#[cfg(test)]
mod tests {
    use jiff::civil;

    use super::*;
    use crate::series::{Combine, HOUR};

    #[test]
    fn capacity_is_rounded_up_from_the_base() {
        // Twelve hours at 1 and twelve at 2 are 4/3 of the mean.
        let values = (0..60 * 24).map(|hour| 100.0 + 100.0 * f64::from((hour / 12) % 2));
        let start = civil::date(2024, 1, 1).at(0, 0, 0, 0);
        let series = Series::local(start, HOUR, Combine::Mean, values.collect());
        let analysis = analyse(&series, Thresholds::default());
        assert!((analysis.peak_multiplier - 4.0 / 3.0).abs() < 1e-9);
        let peaks: Vec<u32> = analysis.recommended.iter().map(|it| it.peak).collect();
        assert_eq!(peaks, [4, 3, 3, 67]);
        assert_eq!(analysis.high_season, None);
    }
}
