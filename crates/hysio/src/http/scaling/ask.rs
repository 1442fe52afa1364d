//! What operators ask for: an emergency, its end, a count by hand. The scaler does it, through the same gates as always.

use axum::{extract::State, http::StatusCode};
use hysio_control::ports::{Begun, TransactionLog as _, Wish};
use hysio_scaling::{Resource, snapshot::DeclaredEmergency};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{ChangeView, EmergencyView};
use crate::{
    http::{
        app::App,
        extract::Json,
        problem::{Problem, Result},
        signed_in::Operator,
    },
    scaler::{LEASE, justification, policy_files::Current},
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Declaration {
    /// One of `scenarios`.
    scenario: String,
    /// Why: it stands in the audit trail. No patient data.
    reason: String,
    /// How long it lasts at most.
    hours: i64,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    reason: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// Such as `transcription_workers`.
    resource: String,
    count: i32,
    /// Why: it stands in the audit trail. No patient data.
    reason: String,
}

/// The scenarios that can be declared, and why the policy files are not in force, if they are not.
pub(super) async fn scenarios(app: &App) -> (Vec<String>, Option<String>) {
    let folder = app.config.scaling.policies.as_deref();
    let current = match Current::in_force(folder, &app.db).await {
        Ok(current) => current,
        Err(error) => return (Vec::new(), Some(format!("{error:#}"))),
    };
    let refused = current.refused().map(str::to_owned);
    let scenarios = current.policies.emergency.map(|policy| {
        let names = policy.scenarios().keys();
        names.cloned().collect()
    });
    (scenarios.unwrap_or_default(), refused)
}

/// Declares an emergency: its scenario's capacity is asked for at once.
#[utoipa::path(post, path = "/api/scaling/emergency", request_body = Declaration, responses((status = 201, body = EmergencyView), (status = 409, description = "another is declared", body = Problem), (status = 422, body = Problem)))]
pub async fn declare(
    State(app): State<App>,
    Operator(who): Operator,
    Json(asked): Json<Declaration>,
) -> Result<(StatusCode, Json<EmergencyView>)> {
    let reason = reason(&asked.reason)?;
    let current = policies(&app).await?;
    let policy = current.policies.emergency.as_ref();
    let policy = policy.ok_or_else(|| {
        Problem::invalid("the policies have no scaling matrix, and so no emergency scenarios")
    })?;
    let now = Timestamp::now();
    let ends_at = SignedDuration::try_from_hours(asked.hours)
        .and_then(|hours| now.checked_add(hours).ok())
        .ok_or_else(|| Problem::invalid("hours: no calendar reaches that far"))?;
    let declared = DeclaredEmergency {
        scenario: asked.scenario,
        owner: who.session.user.to_string(),
        reason,
        declared_at: now,
        ends_at,
    };
    policy
        .validate(&declared, now)
        .map_err(|invalid| Problem::invalid(invalid.to_string()))?;
    let first = policy.priority_queues(&declared.scenario);
    let by = declared.owner.as_str();
    if !app.db.declare_emergency(&declared, first, by).await? {
        return Err(Problem::conflict(
            "emergency",
            "another emergency is declared: stand it down first",
        ));
    }
    let view = super::emergency(&app).await?;
    let view = view.ok_or_else(|| Problem::not_found("emergency"))?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// Ends the emergency; capacity goes back as the policies want it.
#[utoipa::path(post, path = "/api/scaling/emergency/stand-down", request_body = Reason, responses((status = 204), (status = 404, description = "none is declared", body = Problem)))]
pub async fn stand_down(
    State(app): State<App>,
    Operator(who): Operator,
    Json(asked): Json<Reason>,
) -> Result<StatusCode> {
    let reason = reason(&asked.reason)?;
    let by = who.session.user.to_string();
    match app.db.stand_down(&by, &reason).await? {
        Some(_) => Ok(StatusCode::NO_CONTENT),
        None => Err(Problem::new(
            StatusCode::NOT_FOUND,
            "no-emergency",
            "no emergency is declared",
        )),
    }
}

/// Begins one change by hand. Its gates, its verification and its proof are those of every other.
#[utoipa::path(post, path = "/api/scaling/changes", request_body = Count, responses((status = 202, body = ChangeView), (status = 409, description = "another change of it is in flight, or it has that count", body = Problem), (status = 422, body = Problem), (status = 503, description = "no scaler runs", body = Problem)))]
pub async fn change(
    State(app): State<App>,
    Operator(who): Operator,
    Json(asked): Json<Count>,
) -> Result<(StatusCode, Json<ChangeView>)> {
    let reason = reason(&asked.reason)?;
    let resource: Resource = asked
        .resource
        .parse()
        .map_err(|_| Problem::invalid(format!("{:?} is nothing that is scaled", asked.resource)))?;
    let current = policies(&app).await?;
    let limit = current.policies.limits.resources.get(&resource);
    let limit = limit.ok_or_else(|| {
        Problem::invalid(format!(
            "{resource} is not scaled: limits.yaml has no bounds for it"
        ))
    })?;
    if !(limit.min..=limit.max).contains(&asked.count) {
        let (min, max) = (limit.min, limit.max);
        return Err(Problem::invalid(format!(
            "{resource} can have {min} to {max}, not {}",
            asked.count
        )));
    }
    let known = app.db.targets().await?;
    if known.iter().all(|target| target.resource != resource) {
        return Err(Problem::invalid(format!(
            "{resource} has bounds, but nothing here runs it"
        )));
    }
    if app.db.lease_holder(LEASE).await?.is_none() {
        return Err(Problem::unavailable(
            "no scaler runs that would carry the change through",
        ));
    }
    let wish = Wish {
        resource,
        new: asked.count,
        justification: reason,
        user: who.session.user.to_string(),
        pid: std::process::id(),
        plan: None,
        ready_within_seconds: limit.ready_within_seconds,
        supersede: false,
    };
    let begun = app.db.begin(&wish).await;
    match begun.map_err(|_| Problem::unavailable("the database is away for a moment"))? {
        Begun::Yes(change) => {
            let summary = app.db.scaling_transaction(change.id).await?;
            let summary = summary.ok_or_else(|| Problem::not_found("change"))?;
            Ok((StatusCode::ACCEPTED, Json(ChangeView::from(summary))))
        }
        Begun::InFlight(other) => Err(Problem::conflict(
            "in-flight",
            format!("{resource} is being changed by {other}: wait for its end"),
        )),
        Begun::AlreadySo => Err(Problem::conflict(
            "already-so",
            format!("{resource} is {} already", asked.count),
        )),
    }
}

fn reason(text: &str) -> Result<String> {
    justification::parse(text).map_err(|unclear| Problem::invalid(format!("reason: {unclear}")))
}

async fn policies(app: &App) -> Result<Current> {
    Current::in_force(app.config.scaling.policies.as_deref(), &app.db)
        .await
        .map_err(|error| Problem::invalid(format!("the policies cannot be read: {error:#}")))
}
