//! Demand as Hysio itself measured it: the samples of its scaler, and the hours that they were put together to.

use anyhow::ensure;
use hysio_infra::postgres::Database;
use hysio_scaling::{
    series::{Combine, HOUR, Series, Step},
    trace::{Report, Trace},
};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

pub struct Asked<'a> {
    pub series: &'a str,
    pub since: Step,
    pub step: Step,
    pub zone: TimeZone,
}

/// The series, in steps that end now. A step in which nothing was measured is not known.
///
/// # Errors
/// When it was not measured, with the series that were, or the database is away.
pub async fn load(db: &Database, asked: Asked<'_>) -> anyhow::Result<Trace> {
    let seconds = (asked.step.days() * 86_400.0).round() as i64;
    ensure!(
        asked.step.days() <= 7.0,
        "--step {} is longer than a week: read hours, and the planner puts them together",
        asked.step
    );
    let end = Timestamp::now().as_second().div_euclid(seconds) * seconds;
    let count = (asked.since.days() * 86_400.0) as i64 / seconds;
    ensure!(count >= 2, "--since must be at least two steps");
    let start = end - count * seconds;
    let begin = Timestamp::from_second(start)?;
    let measured = db
        .demand(asked.series, begin, SignedDuration::from_secs(seconds))
        .await?;
    if measured.len() < 2 {
        anyhow::bail!(too_little(&asked, measured.len(), &db.measured().await?));
    }
    // Nothing is said about the time before the first measurement.
    let first = usize::try_from((measured[0].0.as_second() - start) / seconds)?;
    let mut values = vec![f64::NAN; usize::try_from(count)? - first];
    for (at, value) in &measured {
        let place = usize::try_from((at.as_second() - start) / seconds)?;
        if let Some(place) = place.checked_sub(first).and_then(|it| values.get_mut(it)) {
            *place = *value;
        }
    }
    let gaps = values.iter().filter(|value| value.is_nan()).count();
    let begin = begin + SignedDuration::from_secs(seconds * i64::try_from(first)?);
    let mut notes = Vec::new();
    if gaps > 0 {
        notes.push(format!(
            "nothing was measured in {gaps} of {} steps: left out, not taken for 0",
            values.len()
        ));
    }
    if asked.step.days() < HOUR.days() {
        notes.push(
            "steps shorter than an hour go back as far as samples are kept, five weeks".to_owned(),
        );
    }
    let report = Report {
        column: asked.series.to_owned(),
        rows: measured.len() as u64,
        gaps: gaps as u64,
        notes,
        ..Report::default()
    };
    let series = Series::new(begin, asked.step, asked.zone, Combine::Mean, values);
    Ok(Trace { series, report })
}

fn too_little(asked: &Asked<'_>, steps: usize, known: &[String]) -> String {
    let Asked {
        series,
        since,
        step,
        ..
    } = asked;
    if known.is_empty() {
        return "the scaler has measured nothing yet; let `hysio up` or `hysio scaler` run for a while"
            .to_owned();
    }
    if known.iter().any(|one| one == series) {
        return format!(
            "{series:?} was measured in {steps} whole steps of {step} only, and two are the least: come back later, or take \
             shorter steps (--step 1m)"
        );
    }
    format!(
        "{series:?} was not measured in the last {since}: there are {}",
        known.join(", ")
    )
}
