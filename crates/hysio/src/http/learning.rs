//! What a facility's decisions on codes have taught: listed, switched off, forgotten, shared.

use axum::{extract::State, http::StatusCode};
use hysio_infra::postgres::{
    Tx,
    learning::{self as store, Entry, SHARED_DECISIONS_MIN, Settings},
};
use hysio_model::{Specialty, diagnosis::CodeSystem};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    app::App,
    extract::{Json, Path},
    problem::{Problem, Result},
    signed_in::FacilityAdmin,
};

#[derive(Serialize, ToSchema)]
pub struct Learning {
    /// Whether decisions are counted and move the suggestions.
    enabled: bool,
    /// Whether counts that other facilities share move them too.
    uses_shared: bool,
    /// Counts that this facility shares; null if it shares none.
    shared: Option<Shared>,
    /// The least number of decisions on a code that is shared.
    shared_decisions_min: u32,
    /// Most decided first.
    lessons: Vec<LessonView>,
}

#[derive(Serialize, ToSchema)]
pub struct Shared {
    codes: i64,
    #[schema(value_type = String, format = "date-time")]
    since: Timestamp,
}

#[derive(Serialize, ToSchema)]
pub struct LessonView {
    id: String,
    system: CodeSystem,
    code: String,
    title: String,
    specialty: Option<Specialty>,
    /// The words that the code is suggested for; null for the code however it comes up.
    phrase: Option<String>,
    accepted: u32,
    rejected: u32,
    #[schema(value_type = String, format = "date-time")]
    since: Timestamp,
    off: bool,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeLearning {
    enabled: Option<bool>,
    uses_shared: Option<bool>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeLesson {
    off: bool,
}

impl From<Entry> for LessonView {
    fn from(entry: Entry) -> Self {
        let lesson = entry.content.lesson;
        Self {
            id: store::hex(&entry.key),
            system: lesson.system,
            code: lesson.code,
            title: lesson.title,
            specialty: lesson.specialty,
            phrase: lesson.phrase,
            accepted: lesson.accepted,
            rejected: lesson.rejected,
            since: entry.content.since,
            off: entry.content.off,
        }
    }
}

/// What the facility has learnt from its decisions.
#[utoipa::path(get, path = "/api/learning", responses((status = 200, body = Learning)))]
pub async fn read(State(app): State<App>, admin: FacilityAdmin) -> Result<Json<Learning>> {
    let tx = tx(&app, &admin).await?;
    let learning = view(&tx).await?;
    let details = json!({ "lessons": learning.lessons.len() });
    tx.commit(&[audit(&admin, "learning.read", details)])
        .await?;
    Ok(Json(learning))
}

/// Switch learning, or the use of shared counts, on or off. What was learnt stays, and moves nothing while it is off.
#[utoipa::path(patch, path = "/api/learning", request_body = ChangeLearning, responses((status = 200, body = Learning)))]
pub async fn change(
    State(app): State<App>,
    admin: FacilityAdmin,
    Json(request): Json<ChangeLearning>,
) -> Result<Json<Learning>> {
    let tx = tx(&app, &admin).await?;
    let old = store::settings(&tx).await?;
    let settings = Settings {
        enabled: request.enabled.unwrap_or(old.enabled),
        uses_shared: request.uses_shared.unwrap_or(old.uses_shared),
    };
    store::set(&tx, settings, admin.0.session.user).await?;
    let learning = view(&tx).await?;
    let details = json!({ "enabled": settings.enabled, "uses_shared": settings.uses_shared });
    tx.commit(&[audit(&admin, "learning.change", details)])
        .await?;
    Ok(Json(learning))
}

/// Switch one lesson off or on.
#[utoipa::path(patch, path = "/api/learning/lessons/{id}", params(("id" = String, Path)), request_body = ChangeLesson, responses((status = 204), (status = 404, body = Problem)))]
pub async fn change_lesson(
    State(app): State<App>,
    admin: FacilityAdmin,
    Path(id): Path<String>,
    Json(request): Json<ChangeLesson>,
) -> Result<StatusCode> {
    let key = key(&id)?;
    let tx = tx(&app, &admin).await?;
    if !store::switch(&tx, &key, request.off).await? {
        return Err(Problem::not_found("lesson"));
    }
    let details = json!({ "lesson": id, "off": request.off });
    tx.commit(&[audit(&admin, "learning.switch", details)])
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forget one lesson. Earlier decisions are not counted again.
#[utoipa::path(delete, path = "/api/learning/lessons/{id}", params(("id" = String, Path)), responses((status = 204), (status = 404, body = Problem)))]
pub async fn forget(
    State(app): State<App>,
    admin: FacilityAdmin,
    Path(id): Path<String>,
) -> Result<StatusCode> {
    let key = key(&id)?;
    let tx = tx(&app, &admin).await?;
    if !store::forget(&tx, &key).await? {
        return Err(Problem::not_found("lesson"));
    }
    tx.commit(&[audit(&admin, "learning.forget", json!({ "lesson": id }))])
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Share with other facilities, as of now, how often codes were accepted and rejected here: of codes that were decided often
/// enough, and no phrases. What was shared before is replaced.
#[utoipa::path(put, path = "/api/learning/share", responses((status = 200, body = Learning)))]
pub async fn share(State(app): State<App>, admin: FacilityAdmin) -> Result<Json<Learning>> {
    let tx = tx(&app, &admin).await?;
    let codes = store::share(&tx).await?;
    let learning = view(&tx).await?;
    tx.commit(&[audit(&admin, "learning.share", json!({ "codes": codes }))])
        .await?;
    Ok(Json(learning))
}

/// Take back what was shared.
#[utoipa::path(delete, path = "/api/learning/share", responses((status = 200, body = Learning)))]
pub async fn unshare(State(app): State<App>, admin: FacilityAdmin) -> Result<Json<Learning>> {
    let tx = tx(&app, &admin).await?;
    let codes = store::unshare(&tx).await?;
    let learning = view(&tx).await?;
    tx.commit(&[audit(&admin, "learning.unshare", json!({ "codes": codes }))])
        .await?;
    Ok(Json(learning))
}

async fn tx(app: &App, admin: &FacilityAdmin) -> Result<Tx> {
    let facility = admin
        .0
        .session
        .facility
        .ok_or_else(|| Problem::forbidden("facility_admin"))?;
    Ok(app.db.tx(facility).await?)
}

async fn view(tx: &Tx) -> Result<Learning> {
    let settings = store::settings(tx).await?;
    let mut lessons: Vec<LessonView> = store::all(tx)
        .await?
        .into_iter()
        .map(LessonView::from)
        .collect();
    lessons.sort_by(|a, b| {
        (b.accepted + b.rejected)
            .cmp(&(a.accepted + a.rejected))
            .then_with(|| a.code.cmp(&b.code))
            .then_with(|| a.id.cmp(&b.id))
    });
    let shared = store::shared(tx).await?;
    Ok(Learning {
        enabled: settings.enabled,
        uses_shared: settings.uses_shared,
        shared: shared.map(|(codes, since)| Shared { codes, since }),
        shared_decisions_min: SHARED_DECISIONS_MIN,
        lessons,
    })
}

fn key(id: &str) -> Result<Vec<u8>> {
    store::unhex(id).ok_or_else(|| Problem::not_found("lesson"))
}

fn audit(
    admin: &FacilityAdmin,
    action: &str,
    details: serde_json::Value,
) -> hysio_model::audit::AuditEvent {
    let facility = admin.0.session.facility.map(|id| id.to_string());
    admin
        .0
        .audit(action, ("facility", facility.unwrap_or_default()), details)
}
