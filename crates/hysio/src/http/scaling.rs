//! Scaling, for operators: what runs, what the scaler sees, what it decided and why, and the changes under way.

pub mod ask;
pub mod live;

use axum::{extract::State, http::StatusCode};
use hysio_control::transaction::TransactionId;
use hysio_infra::postgres::scaling::{decisions::Stored, transactions::Summary};
use hysio_scaling::snapshot::DeclaredEmergency;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    app::App,
    extract::{Json, Path, Query},
    problem::{Problem, Result},
    signed_in::Operator,
};

const CHANGES: i64 = 50;
/// Points of a chart's line: about one for each pixel of a narrow page.
const POINTS: i64 = 300;

#[derive(Deserialize, IntoParams)]
pub struct Window {
    /// How far back the charts go; an hour if not said.
    minutes: Option<i64>,
}

#[derive(Clone, PartialEq, Serialize, ToSchema)]
pub struct Scaling {
    #[schema(value_type = String, format = "date-time")]
    at: Timestamp,
    /// Who decides now; none while no scaler runs.
    leader: Option<String>,
    targets: Vec<TargetView>,
    instances: Vec<InstanceView>,
    emergency: Option<EmergencyView>,
    /// Those that can be declared.
    scenarios: Vec<String>,
    /// Why the policy files as they are now are not in force; the last good ones go on.
    policies_refused: Option<String>,
    /// The newest decision.
    decision: Option<DecisionView>,
    /// The newest changes, newest first.
    changes: Vec<ChangeView>,
    /// Each series as pairs of seconds since 1970 and value; not in the stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    series: Option<Value>,
}

#[derive(Clone, PartialEq, Serialize, ToSchema)]
pub struct EmergencyView {
    #[serde(flatten)]
    #[schema(value_type = Object)]
    declared: DeclaredEmergency,
    /// Of the owner, where that is somebody who signs in here.
    owner_name: Option<String>,
}

#[derive(Clone, PartialEq, Serialize, ToSchema)]
struct TargetView {
    resource: String,
    desired: i32,
    running: i32,
    ready: i32,
}

#[derive(Clone, PartialEq, Serialize, ToSchema)]
struct InstanceView {
    service: String,
    resource: Option<String>,
    host: String,
    pid: i32,
    #[schema(value_type = String, format = "date-time")]
    started_at: Timestamp,
    ready: bool,
    leaving: bool,
    busy: i32,
    cpu_percent: Option<i64>,
    memory_bytes: Option<i64>,
    trouble: Option<String>,
}

#[derive(Clone, PartialEq, Serialize, ToSchema)]
pub struct DecisionView {
    id: Uuid,
    #[schema(value_type = String, format = "date-time")]
    at: Timestamp,
    policies_digest: String,
    #[schema(value_type = Object)]
    decision: Value,
    /// What it was made of; only where one decision is asked for.
    #[schema(value_type = Option<Object>)]
    snapshot: Option<Value>,
}

#[derive(Clone, PartialEq, Serialize, ToSchema)]
pub struct ChangeView {
    id: Uuid,
    resource: String,
    old: i32,
    new: i32,
    justification: String,
    user: String,
    plan: Option<Uuid>,
    phase: String,
    #[schema(value_type = String, format = "date-time")]
    begun_at: Timestamp,
    #[schema(value_type = Option<String>, format = "date-time")]
    ended_at: Option<Timestamp>,
    /// The log, step by step; only of those under way and where one change is asked for.
    #[schema(value_type = Vec<Object>)]
    log: Vec<Value>,
}

impl From<Summary> for ChangeView {
    fn from(summary: Summary) -> Self {
        Self {
            id: summary.id.0,
            resource: summary.resource,
            old: summary.old,
            new: summary.new,
            justification: summary.justification,
            user: summary.user,
            plan: summary.plan,
            phase: summary.phase,
            begun_at: summary.begun_at,
            ended_at: summary.ended_at,
            log: Vec::new(),
        }
    }
}

/// What runs, what was decided, and what changes.
#[utoipa::path(get, path = "/api/scaling", params(Window), responses((status = 200, body = Scaling)))]
pub async fn status(
    State(app): State<App>,
    Operator(_who): Operator,
    Query(window): Query<Window>,
) -> Result<Json<Scaling>> {
    let minutes = window.minutes.unwrap_or(60).clamp(1, 7 * 24 * 60);
    let since = Timestamp::now() - SignedDuration::from_mins(minutes);
    let series = series(&app, since).await?;
    Ok(Json(Scaling {
        series: Some(series),
        ..now(&app).await?
    }))
}

/// All but the series.
async fn now(app: &App) -> Result<Scaling> {
    let db = &app.db;
    let mut changes = Vec::new();
    for summary in db.scaling_transactions(CHANGES).await? {
        let live = summary.ended_at.is_none();
        let mut view = ChangeView::from(summary);
        if live {
            view.log = log_of(app, view.id).await?;
        }
        changes.push(view);
    }
    let decision = db.newest_decisions(1).await?.pop();
    let (scenarios, policies_refused) = ask::scenarios(app).await;
    Ok(Scaling {
        at: Timestamp::now(),
        leader: db.lease_holder(crate::scaler::LEASE).await?,
        targets: targets(app).await?,
        instances: instances(app).await?,
        emergency: emergency(app).await?,
        scenarios,
        policies_refused,
        decision: decision.map(|stored| view(stored, false)),
        changes,
        series: None,
    })
}

async fn emergency(app: &App) -> Result<Option<EmergencyView>> {
    let Some(declared) = app.db.emergency().await? else {
        return Ok(None);
    };
    let owner_name = match declared.owner.parse() {
        Ok(id) => app.db.profile(id).await?.map(|profile| profile.name),
        Err(_) => None,
    };
    Ok(Some(EmergencyView {
        declared,
        owner_name,
    }))
}

/// One decision with everything it was made of.
#[utoipa::path(get, path = "/api/scaling/plans/{id}", responses((status = 200, body = DecisionView)))]
pub async fn plan(
    State(app): State<App>,
    Operator(_who): Operator,
    Path(id): Path<Uuid>,
) -> Result<Json<DecisionView>> {
    let stored = app.db.decision(id).await?.ok_or_else(not_found)?;
    Ok(Json(view(stored, true)))
}

/// One change with its log.
#[utoipa::path(get, path = "/api/scaling/changes/{id}", responses((status = 200, body = ChangeView)))]
pub async fn change(
    State(app): State<App>,
    Operator(_who): Operator,
    Path(id): Path<Uuid>,
) -> Result<Json<ChangeView>> {
    let summary = app
        .db
        .scaling_transaction(TransactionId(id))
        .await?
        .ok_or_else(not_found)?;
    let mut view = ChangeView::from(summary);
    view.log = log_of(&app, id).await?;
    Ok(Json(view))
}

fn not_found() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "not-found",
        "there is none with this id",
    )
}

async fn log_of(app: &App, id: Uuid) -> Result<Vec<Value>> {
    let log = app.db.scaling_log(TransactionId(id)).await?;
    Ok(log.iter().map(|event| json!(event)).collect())
}

fn view(stored: Stored, whole: bool) -> DecisionView {
    DecisionView {
        id: stored.id,
        at: stored.at,
        policies_digest: stored.policies_digest,
        decision: stored.decision,
        snapshot: whole.then_some(stored.snapshot),
    }
}

async fn targets(app: &App) -> Result<Vec<TargetView>> {
    use hysio_control::ports::Targets as _;
    let mut views = Vec::new();
    for target in app.db.targets().await? {
        let seen = app
            .db
            .observe(target.resource)
            .await
            .map_err(|_| Problem::unavailable("the database is away for a moment"))?;
        views.push(TargetView {
            resource: target.resource.to_string(),
            desired: target.desired,
            running: seen.running.max(0),
            ready: seen.ready.max(0),
        });
    }
    Ok(views)
}

async fn instances(app: &App) -> Result<Vec<InstanceView>> {
    Ok(app
        .db
        .instances()
        .await?
        .into_iter()
        .map(|instance| InstanceView {
            service: instance.service,
            resource: instance.resource,
            host: instance.host,
            pid: instance.pid,
            started_at: instance.started_at,
            ready: instance.ready_at.is_some(),
            leaving: instance.leaving,
            busy: instance.busy,
            cpu_percent: instance.cpu_milli.map(|milli| milli / 10),
            memory_bytes: instance.memory_bytes,
            trouble: instance.check.trouble,
        })
        .collect())
}

async fn series(app: &App, since: Timestamp) -> Result<Value> {
    let all = app.db.samples(since, POINTS).await?;
    let pairs = all.into_iter().map(|(series, points)| {
        let points: Vec<(i64, f64)> = points
            .into_iter()
            .map(|(at, value)| (at.as_second(), value))
            .collect();
        (series, json!(points))
    });
    Ok(Value::Object(pairs.collect()))
}
