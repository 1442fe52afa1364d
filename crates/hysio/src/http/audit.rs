//! The audit trail, for auditors: the entries, and the proof that none was changed.

use axum::{extract::State, http::StatusCode};
use hysio_infra::audit::Entry;
use hysio_model::audit::Outcome;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    app::App,
    extract::{Json, Query},
    problem::{Problem, Result},
    signed_in::{Auditor, SignedIn},
};

const PAGE: i64 = 100;

#[derive(Deserialize, IntoParams)]
pub struct Wanted {
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Trail {
    entries: Vec<EntryView>,
    next_cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct EntryView {
    leaf_index: Option<u64>,
    #[schema(value_type = String, format = "date-time")]
    at: Timestamp,
    facility_id: Option<i32>,
    actor: String,
    action: String,
    resource: String,
    resource_id: String,
    outcome: &'static str,
    #[schema(value_type = Object)]
    details: serde_json::Value,
}

#[derive(Serialize, ToSchema)]
pub struct Verification {
    ok: bool,
    entries: u64,
    size: u64,
    root: Option<String>,
    #[schema(value_type = String, format = "date-time")]
    checked_at: Timestamp,
    findings: Vec<String>,
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> Self {
        let outcome = match entry.event.outcome {
            Outcome::Success | Outcome::Refused | Outcome::Failure => entry.event.outcome.as_str(),
        };
        Self {
            leaf_index: entry.leaf.map(|leaf| leaf.index),
            at: entry.event.at,
            facility_id: entry.event.facility.map(|id| id.0),
            actor: entry.event.actor,
            action: entry.event.action,
            resource: entry.event.resource,
            resource_id: entry.event.resource_id,
            outcome,
            details: entry.event.details,
        }
    }
}

/// The trail, newest first.
#[utoipa::path(get, path = "/api/audit", params(Wanted), responses((status = 200, body = Trail)))]
pub async fn list(
    State(app): State<App>,
    Auditor(who): Auditor,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Trail>> {
    let before = match wanted.cursor.as_deref() {
        None | Some("") => None,
        Some(text) => Some(text.parse().map_err(|_| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "invalid-cursor",
                "the cursor is not one that a page ended with",
            )
        })?),
    };
    let entries = app.db.audit_page(before, PAGE).await?;
    note(&app, &who, "audit.read").await?;
    let last = entries
        .last()
        .and_then(|entry| entry.leaf)
        .map(|leaf| leaf.index);
    let more = i64::try_from(entries.len()).unwrap_or(i64::MAX) == PAGE;
    let next_cursor = last
        .filter(|index| more && *index > 0)
        .map(|index| index.to_string());
    Ok(Json(Trail {
        entries: entries.into_iter().map(EntryView::from).collect(),
        next_cursor,
    }))
}

/// Proves the whole trail now.
#[utoipa::path(get, path = "/api/audit/verification", responses((status = 200, body = Verification)))]
pub async fn verification(
    State(app): State<App>,
    Auditor(who): Auditor,
) -> Result<Json<Verification>> {
    let keys = app.trail.as_ref().ok_or_else(|| {
        Problem::unavailable("this instance has no audit key: run `hysio audit verify`")
    })?;
    let report = app.db.verify_audit(keys).await?;
    note(&app, &who, "audit.verify").await?;
    Ok(Json(Verification {
        ok: report.is_proven(),
        entries: report.entries,
        size: report.size,
        root: report.root.map(|root| root.to_string()),
        checked_at: Timestamp::now(),
        findings: report.findings.iter().map(ToString::to_string).collect(),
    }))
}

/// Reading the trail is itself an entry of it.
async fn note(app: &App, who: &SignedIn, action: &str) -> Result<()> {
    let tx = app.db.platform_tx().await?;
    Ok(tx
        .commit(&[who.audit(action, ("audit", "trail".to_owned()), serde_json::json!({}))])
        .await?)
}
