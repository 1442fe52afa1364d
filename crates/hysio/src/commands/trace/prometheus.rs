//! A trace from a Prometheus server: `query_range`, in pieces that it answers.

use anyhow::{Context as _, bail, ensure};
use hysio_scaling::{
    series::{Combine, Series, Step},
    trace::{Report, Trace},
};
use jiff::{Timestamp, tz::TimeZone};
use serde::Deserialize;

/// A server answers at most 11,000 points a series.
const MOST_POINTS: i64 = 10_000;

/// How many characters of an answer that makes no sense are shown.
const MOST_SHOWN: usize = 80;

pub struct Asked<'a> {
    pub url: &'a str,
    pub query: &'a str,
    pub since: Step,
    pub step: Step,
    pub zone: TimeZone,
}

#[derive(Deserialize)]
struct Answer {
    status: String,
    error: Option<String>,
    data: Option<Data>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result: Vec<Matrix>,
}

#[derive(Deserialize)]
struct Matrix {
    metric: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    values: Vec<(f64, String)>,
}

/// The series, in steps that end now. A step that the server has no value for is not known.
pub async fn load(asked: Asked<'_>) -> anyhow::Result<Trace> {
    let seconds = |step: Step| (step.days() * 86_400.0).round() as i64;
    let step = seconds(asked.step);
    let end = Timestamp::now().as_second().div_euclid(step) * step;
    let count = seconds(asked.since) / step;
    ensure!(count >= 2, "--since must be at least two steps");
    let start = end - count * step;
    let mut values = vec![f64::NAN; usize::try_from(count)?];
    let client = reqwest::Client::new();
    let mut from = start;
    while from < end {
        let to = (from + (MOST_POINTS - 1) * step).min(end - step);
        for (at, value) in ask(&client, &asked, from, to, step).await? {
            let index = usize::try_from((at.round() as i64 - start) / step)?;
            if let Some(place) = values.get_mut(index) {
                *place = value.parse().unwrap_or(f64::NAN);
            }
        }
        from = to + step;
    }
    let start = Timestamp::from_second(start)?;
    let series = Series::new(start, asked.step, asked.zone.clone(), Combine::Mean, values);
    ensure!(
        series.known() >= 2,
        "{} has no values for {:?} in the last {}: check the query, or ask further back with --since",
        asked.url,
        asked.query,
        asked.since
    );
    let gaps = series.len() - series.known();
    let report = Report {
        column: asked.query.to_owned(),
        rows: series.known() as u64,
        gaps: gaps as u64,
        notes: (gaps > 0)
            .then(|| {
                format!(
                    "the server has no value for {gaps} of {} steps: left out, not taken for 0",
                    series.len()
                )
            })
            .into_iter()
            .collect(),
        ..Report::default()
    };
    Ok(Trace { series, report })
}

async fn ask(
    client: &reqwest::Client,
    asked: &Asked<'_>,
    from: i64,
    to: i64,
    step: i64,
) -> anyhow::Result<Vec<(f64, String)>> {
    let url = format!("{}/api/v1/query_range", asked.url.trim_end_matches('/'));
    let mut url = reqwest::Url::parse(&url)
        .with_context(|| format!("{:?} is no URL of a Prometheus server", asked.url))?;
    url.query_pairs_mut()
        .append_pair("query", asked.query)
        .append_pair("start", &from.to_string())
        .append_pair("end", &to.to_string())
        .append_pair("step", &step.to_string());
    let answer = client
        .get(url)
        .send()
        .await
        .with_context(|| format!("ask {}", asked.url))?;
    let status = answer.status();
    let text = answer
        .text()
        .await
        .with_context(|| format!("read the answer of {}", asked.url))?;
    let answer: Answer = serde_json::from_str(&text).with_context(|| {
        let begin: String = text.trim().chars().take(MOST_SHOWN).collect();
        format!(
            "{} answered {status}, and not as Prometheus does: {begin:?}. Is it the right address, and is the server ready?",
            asked.url
        )
    })?;
    if answer.status != "success" {
        bail!(
            "{} refused {:?}: {}",
            asked.url,
            asked.query,
            answer.error.unwrap_or_default()
        );
    }
    let mut series = answer.data.map(|data| data.result).unwrap_or_default();
    if series.len() > 1 {
        let labels: Vec<String> = series
            .iter()
            .take(3)
            .map(|it| serde_json::Value::Object(it.metric.clone()).to_string())
            .collect();
        bail!(
            "{:?} gives {} series ({} …): put them together, as with sum({})",
            asked.query,
            series.len(),
            labels.join(", "),
            asked.query
        );
    }
    Ok(series.pop().map(|it| it.values).unwrap_or_default())
}
