//! The diagnosecode service (:8081): `POST /v1/diagnosis-codes`, `GET /v1/codes/{system}/{code}`, `GET /v1/codes?q=`.
//!
//! A request's text is matched on a blocking thread, at most [`Options::workers`] at a time; a bounded number waits.
//! Results are remembered by a keyed hash of the text, never with it.

mod cache;
mod catalogue;
mod problem;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State, rejection::JsonRejection},
};
use hysio_clinical::diagnosecode::{
    Engine, Error, Language, MAX_TEXT_BYTES, MODEL_VERSION, Patient, Query, Sex,
};
use hysio_model::{
    Phi, Specialty,
    diagnosis::{CodeSystem, Suggestion},
};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use cache::Cache;
pub use cache::{SizeError, parse_size};
pub use problem::Problem;

/// JSON may escape every byte of a text; what is larger than this cannot hold a text that would be taken.
const BODY_BYTES_MAX: usize = 2 * MAX_TEXT_BYTES + 64 * 1024;

/// Requests that wait for a worker, for each worker; further ones are told to come back.
const WAITING_PER_WORKER: usize = 64;

const LIMIT_DEFAULT: usize = 10;

/// How much the service may do and keep.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Texts matched at the same time (`INFERENCE_WORKERS`).
    pub workers: usize,
    /// Memory for remembered results (`MODEL_CACHE_SIZE`); zero remembers none.
    pub cache_bytes: usize,
}

/// What the metrics hook is told of each answered request.
#[derive(Debug, Clone, Copy)]
pub struct Answered {
    pub system: CodeSystem,
    pub specialty: Option<Specialty>,
    pub elapsed: Duration,
    pub suggestions: usize,
    pub from_cache: bool,
}

/// Is called after each answered request; must not block.
pub type Hook = Arc<dyn Fn(&Answered) + Send + Sync>;

#[derive(Clone)]
pub struct Service {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Arc<Engine>,
    workers: Semaphore,
    waiting: AtomicUsize,
    waiting_max: usize,
    cache: Mutex<Cache>,
    hook: Option<Hook>,
}

impl Service {
    #[must_use]
    pub fn new(engine: Arc<Engine>, options: Options, hook: Option<Hook>) -> Self {
        let workers = options.workers.max(1);
        Self {
            inner: Arc::new(Inner {
                engine,
                workers: Semaphore::new(workers),
                waiting: AtomicUsize::new(0),
                waiting_max: workers.saturating_mul(WAITING_PER_WORKER),
                cache: Mutex::new(Cache::new(options.cache_bytes)),
                hook,
            }),
        }
    }

    fn engine(&self) -> &Engine {
        &self.inner.engine
    }
}

/// The routes, ready to serve.
pub fn router(service: Service) -> Router {
    let (router, _) = documented().split_for_parts();
    router.with_state(service)
}

/// The routes with their description.
pub fn documented() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(suggest))
        .routes(routes!(catalogue::show))
        .routes(routes!(catalogue::search))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

/// A text to code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Request {
    /// Clinical text, at most 1 MiB.
    #[schema(value_type = String)]
    text: Phi<String>,
    /// `ICD-10-CM` (the default) or `DCSPH`.
    system: Option<String>,
    /// `en` or `nl`; told apart by its words if not given.
    language: Option<String>,
    /// 1 to 100; 10 if not given.
    limit: Option<usize>,
    specialty: Option<Specialty>,
    /// The patient's age in completed years: codes that don't suit it are marked and fall far down.
    age: Option<u16>,
    /// The patient's sex, `female` or `male`: codes that don't suit it are marked and fall far down.
    sex: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Response {
    suggestions: Vec<Suggestion>,
    /// Version of the ranking.
    model: &'static str,
    /// Release of the catalogue.
    catalogue: String,
}

/// Suggest diagnosis codes for a clinical text, most probable first, each with the words that support it.
#[utoipa::path(
    post,
    path = "/v1/diagnosis-codes",
    tag = "diagnosis codes",
    request_body = Request,
    responses(
        (status = 200, body = Response),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    )
)]
async fn suggest(
    State(service): State<Service>,
    request: Result<Json<Request>, JsonRejection>,
) -> Result<Json<Response>, Problem> {
    let Json(request) = request.map_err(|rejection| Problem::body(&rejection))?;
    let query = query(&request)?;
    let started = Instant::now();
    let (suggestions, from_cache) = answer(&service, request.text, query).await?;
    if let Some(hook) = &service.inner.hook {
        hook(&Answered {
            system: query.system,
            specialty: request.specialty,
            elapsed: started.elapsed(),
            suggestions: suggestions.len(),
            from_cache,
        });
    }
    Ok(Json(Response {
        suggestions,
        model: MODEL_VERSION,
        catalogue: release(&service, query.system),
    }))
}

fn query(request: &Request) -> Result<Query, Problem> {
    let system = match &request.system {
        None => CodeSystem::Icd10Cm,
        Some(name) => name.parse().map_err(|_| Problem::unknown_system())?,
    };
    let language = match request.language.as_deref() {
        None => None,
        Some("en") => Some(Language::English),
        Some("nl") => Some(Language::Dutch),
        Some(_) => return Err(Problem::invalid("language must be en or nl")),
    };
    let sex: Option<Sex> = match request.sex.as_deref().map(str::parse) {
        None => None,
        Some(Ok(sex)) => Some(sex),
        Some(Err(_)) => return Err(Problem::invalid("sex must be female or male")),
    };
    Ok(Query {
        system,
        language,
        limit: request.limit.unwrap_or(LIMIT_DEFAULT),
        patient: Patient {
            age_years: request.age,
            sex,
        },
    })
}

/// From memory if the same was asked before, else from a worker.
async fn answer(
    service: &Service,
    text: Phi<String>,
    query: Query,
) -> Result<(Vec<Suggestion>, bool), Problem> {
    let inner = &service.inner;
    let key = locked(&inner.cache).key(text.expose(), &query);
    if let Some(known) = locked(&inner.cache).get(&key, text.expose()) {
        return Ok((known, true));
    }
    let _waiting = Waiting::enter(inner)?;
    let _permit = inner.workers.acquire().await.map_err(|_| Problem::busy())?;
    let engine = Arc::clone(&inner.engine);
    let (text, result) = tokio::task::spawn_blocking(move || {
        let result = engine.suggest(text.expose(), &query);
        (text, result)
    })
    .await
    .map_err(|_| Problem::internal())?;
    let suggestions = result.map_err(|error| refused(&error))?;
    drop(text);
    locked(&inner.cache).put(key, &suggestions);
    Ok((suggestions, false))
}

fn refused(error: &Error) -> Problem {
    match error {
        Error::TooLong { .. } => Problem::too_long(error.to_string()),
        Error::Limit { .. } | Error::NotText => Problem::invalid(&error.to_string()),
        Error::Catalogue(_) => Problem::internal(),
    }
}

fn release(service: &Service, system: CodeSystem) -> String {
    match system {
        CodeSystem::Icd10Cm => service.engine().catalogue().release.clone(),
        CodeSystem::Dcsph => system.to_string(),
    }
}

/// A place among those that wait; given back when dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(inner: &'a Inner) -> Result<Self, Problem> {
        let place = Self(&inner.waiting);
        if inner.waiting.fetch_add(1, Ordering::Relaxed) >= inner.waiting_max {
            return Err(Problem::busy());
        }
        Ok(place)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A panic while the cache was held leaves at worst a stale count: what it holds is still right.
fn locked(cache: &Mutex<Cache>) -> std::sync::MutexGuard<'_, Cache> {
    cache
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
