//! The planner on what was measured, for operators: patterns, forecasts, capacity and cost.

use axum::{extract::State, http::StatusCode};
use hysio_scaling::{
    capacity::{
        analysis::analyse,
        outlook::{Settings, long, short},
        pattern::Thresholds,
    },
    series::{HOUR, Step},
};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::{
    app::App,
    extract::{Json, Query},
    problem::{Problem, Result},
    signed_in::Operator,
};
use crate::measured;

const MONTHS: usize = 12;
/// As long as hours are kept.
const SINCE: Step = Step::Days(6 * 365);
/// Hours before now that a chart shows.
const PAST_HOURS: usize = 168;

#[derive(Deserialize, IntoParams)]
pub struct Question {
    /// What was measured; active sessions if not said.
    series: Option<String>,
    /// How much of it one instance carries; 100 if not said.
    per_instance: Option<f64>,
    /// Where people live whose days and weeks these are, such as Europe/Amsterdam; UTC if not said.
    tz: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Capacity {
    series: String,
    /// What can be asked for.
    known: Vec<String>,
    per_instance: f64,
    /// Why there is no plan: nothing was measured yet.
    nothing: Option<String>,
    #[schema(value_type = Option<Object>)]
    plan: Option<Plan>,
}

#[derive(Serialize)]
struct Plan {
    /// Hours before now, as local time and value; nothing where it was not measured.
    past: Vec<(String, Option<f64>)>,
    /// The shape of day, week and year, and what their peaks take.
    analysis: Value,
    /// The days ahead, or why there are none.
    short: Option<Value>,
    no_short: Option<String>,
    /// The months ahead.
    long: Option<Value>,
    no_long: Option<String>,
    currency: String,
    notes: Vec<String>,
}

/// What demand is expected, what it takes and what it costs.
#[utoipa::path(get, path = "/api/capacity", params(Question), responses((status = 200, body = Capacity)))]
pub async fn plan(
    State(app): State<App>,
    Operator(_who): Operator,
    Query(question): Query<Question>,
) -> Result<Json<Capacity>> {
    let per_instance = question.per_instance.unwrap_or(100.0);
    if !(per_instance > 0.0 && per_instance.is_finite()) {
        return Err(wrong("per_instance must be above 0"));
    }
    let zone = match &question.tz {
        None => TimeZone::UTC,
        Some(name) => TimeZone::get(name)
            .map_err(|_| wrong("tz is no time zone: use a name such as Europe/Amsterdam"))?,
    };
    let known = app.db.measured().await?;
    let series = question
        .series
        .unwrap_or_else(|| "active_sessions".to_owned());
    let asked = measured::Asked {
        series: &series,
        since: SINCE,
        step: HOUR,
        zone,
    };
    let loaded = if known.contains(&series) {
        measured::load(&app.db, asked).await
    } else {
        Err(anyhow::anyhow!("nothing of this name was measured yet"))
    };
    let (plan, nothing) = match loaded {
        Err(why) => (None, Some(why.to_string())),
        Ok(trace) => {
            let planned = tokio::task::spawn_blocking(move || planned(&trace, per_instance)).await;
            let plan = planned
                .map_err(|_| Problem::unavailable("the plan could not be made; ask again"))?;
            (Some(plan), None)
        }
    };
    Ok(Json(Capacity {
        series,
        known,
        per_instance,
        nothing,
        plan,
    }))
}

fn wrong(detail: &'static str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid-request", detail)
}

/// Takes a tenth of a second or two: off the async threads.
fn planned(trace: &hysio_scaling::trace::Trace, per_instance: f64) -> Plan {
    let series = &trace.series;
    let settings = Settings {
        per_instance,
        ..Settings::default()
    };
    let begin = series.len().saturating_sub(PAST_HOURS);
    let past = (begin..series.len()).map(|at| {
        let value = series.values()[at];
        (
            series.local_time(at).to_string(),
            value.is_finite().then_some(value),
        )
    });
    let (short, no_short) = apart(short(series, &settings).map(|it| json!(it)));
    let (long, no_long) = apart(long(series, MONTHS, &settings).map(|it| json!(it)));
    Plan {
        past: past.collect(),
        analysis: json!(analyse(series, Thresholds::default())),
        short,
        no_short,
        long,
        no_long,
        currency: settings.prices.currency.clone(),
        notes: trace.report.notes.clone(),
    }
}

fn apart<T>(result: std::result::Result<T, String>) -> (Option<T>, Option<String>) {
    match result {
        Ok(value) => (Some(value), None),
        Err(why) => (None, Some(why)),
    }
}
