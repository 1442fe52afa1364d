//! The app service (:3000): the JSON API and the pages over it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use hysio_infra::{
    blobs::Blobs,
    diagnosecode_client::DiagnosecodeClient,
    postgres::{Database, notify::Call},
    rate_limit::{Limit, LocalRateLimiter, RateLimiter, client_of},
    redis::{Cluster, cache::MedicalCache, limits::SharedRateLimiter},
};
use hysio_model::Phi;
use tokio::sync::{Semaphore, broadcast};
use tokio_util::sync::CancellationToken;
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    audit, capacity, codes, encounters, events, health, jobs, learning, patients,
    problem::{Problem, Result},
    recordings, records, scaling, seen, session, suggestions, ui, upload, users,
};
use crate::{config::Config, metrics::Metrics};

/// What the handlers share. Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub db: Database,
    pub config: Arc<Config>,
    pub blobs: Blobs,
    pub codes: DiagnosecodeClient,
    pub metrics: Metrics,
    pub calls: broadcast::Sender<Call>,
    /// Cancelled when the process is asked to end: streams close, and what is running finishes.
    pub draining: CancellationToken,
    pub trail: Option<Arc<hysio_infra::audit::VerifyingKeys>>,
    pub cache: Option<MedicalCache>,
    limits: Arc<Limits>,
}

struct Limits {
    requests: Box<dyn RateLimiter>,
    sign_ins: Box<dyn RateLimiter>,
    /// Argon2 takes 19 MiB and 40 ms of a core: no more at once than there are cores.
    hashing: Semaphore,
}

/// What an [`App`] is made of.
pub struct Parts {
    pub db: Database,
    pub config: Arc<Config>,
    pub blobs: Blobs,
    pub codes: DiagnosecodeClient,
    pub metrics: Metrics,
    pub calls: broadcast::Sender<Call>,
    pub draining: CancellationToken,
    pub trail: Option<Arc<hysio_infra::audit::VerifyingKeys>>,
    /// Where instances count together; None when there is one alone.
    pub cluster: Option<Cluster>,
    pub cache: Option<MedicalCache>,
}

impl App {
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let http = &parts.config.http;
        let requests = Limit {
            burst: http.rate_burst.try_into().unwrap_or(Limit::REQUESTS.burst),
            every: Duration::from_secs(1) / http.rate_per_second.max(1),
        };
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let limits = Limits {
            requests: limiter(parts.cluster.as_ref(), "requests", requests),
            sign_ins: limiter(parts.cluster.as_ref(), "sign-ins", Limit::SIGN_IN),
            hashing: Semaphore::new(cores),
        };
        let Parts {
            db,
            config,
            blobs,
            codes,
            metrics,
            calls,
            draining,
            trail,
            cluster: _,
            cache,
        } = parts;
        Self {
            db,
            config,
            blobs,
            codes,
            metrics,
            calls,
            draining,
            trail,
            cache,
            limits: Arc::new(limits),
        }
    }

    #[must_use]
    pub fn idle_timeout(&self) -> Duration {
        Duration::from_secs(self.config.session.idle_minutes * 60)
    }

    #[must_use]
    pub fn is_https(&self) -> bool {
        self.config.http.public_url.starts_with("https://")
    }

    /// Who is asking, before they have signed in.
    #[must_use]
    pub fn client(&self, address: SocketAddr, headers: &HeaderMap) -> String {
        let forwarded = if self.config.http.trust_forwarded_for {
            session::forwarded_for(headers)
        } else {
            None
        };
        client_of(forwarded.unwrap_or(address.ip()))
    }

    pub async fn allow(&self, client: &str) -> Result<()> {
        self.limits.requests.check(client).await.map_err(too_many)
    }

    pub async fn allow_sign_in(&self, client: &str) -> Result<()> {
        self.limits.sign_ins.check(client).await.map_err(too_many)
    }

    pub async fn verify_password(
        &self,
        password: Phi<String>,
        hash: Option<String>,
    ) -> Result<bool> {
        let _permit = self
            .limits
            .hashing
            .acquire()
            .await
            .map_err(|_| Problem::unavailable("the service is ending"))?;
        tokio::task::spawn_blocking(move || {
            session::password_matches(password.expose(), hash.as_deref())
        })
        .await
        .map_err(|_| Problem::unavailable("the password could not be checked"))
    }

    pub async fn hash_password(&self, password: Phi<String>) -> Result<String> {
        let _permit = self
            .limits
            .hashing
            .acquire()
            .await
            .map_err(|_| Problem::unavailable("the service is ending"))?;
        tokio::task::spawn_blocking(move || session::hash_password(password.expose()))
            .await
            .map_err(|_| Problem::unavailable("the password could not be hashed"))?
            .map_err(|error| Problem::invalid(error.to_string()).with("field", "password".into()))
    }
}

fn limiter(cluster: Option<&Cluster>, name: &'static str, limit: Limit) -> Box<dyn RateLimiter> {
    match cluster {
        Some(cluster) => Box::new(SharedRateLimiter::new(cluster.clone(), name, limit)),
        None => Box::new(LocalRateLimiter::new(limit)),
    }
}

fn too_many(refused: hysio_infra::rate_limit::Refused) -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too-many-requests",
        refused.to_string(),
    )
    .retry_after(refused.retry_after_seconds)
}

#[derive(OpenApi)]
#[openapi(info(
    title = "Hysio",
    description = "Dictation in, coded record out.",
    license(name = "MIT OR Apache-2.0")
))]
struct Document;

fn api() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(session::sign_in, session::me, session::sign_out))
        .routes(routes!(patients::list, patients::create))
        .routes(routes!(patients::read))
        .routes(routes!(encounters::list, encounters::create))
        .routes(routes!(encounters::read))
        .routes(routes!(suggestions::decide))
        .routes(routes!(suggestions::add))
        .routes(routes!(suggestions::again))
        .routes(routes!(codes::search))
        .routes(routes!(learning::read, learning::change))
        .routes(routes!(learning::change_lesson, learning::forget))
        .routes(routes!(learning::share, learning::unshare))
        .routes(routes!(jobs::read))
        .routes(routes!(jobs::dead))
        .routes(routes!(jobs::redrive))
        .routes(routes!(events::stream))
        .routes(routes!(recordings::audio))
        .routes(routes!(records::read, records::save))
        .routes(routes!(records::sign))
        .routes(routes!(records::amend))
        .routes(routes!(records::versions))
        .routes(routes!(records::version))
        .routes(routes!(records::make_report))
        .routes(routes!(records::report))
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::update))
        .routes(routes!(audit::list))
        .routes(routes!(audit::verification))
        .routes(routes!(scaling::status))
        .routes(routes!(scaling::plan))
        .routes(routes!(scaling::change))
        .routes(routes!(scaling::live::events))
        .routes(routes!(scaling::ask::declare))
        .routes(routes!(scaling::ask::stand_down))
        .routes(routes!(scaling::ask::change))
        .routes(routes!(capacity::plan))
}

/// The API's description, as committed in `docs/api/openapi.json`.
#[must_use]
pub fn openapi() -> String {
    let (_, document) = api().routes(routes!(upload::accept)).split_for_parts();
    document
        .to_pretty_json()
        .expect("a description of our own has a JSON form")
}

pub fn router(app: App) -> Router {
    let limits = (
        app.config.http.body_bytes_max,
        app.config.http.upload_bytes_max,
    );
    let (routes, _) = api()
        .layer(DefaultBodyLimit::max(limits.0))
        .split_for_parts();
    let (uploads, _) = OpenApiRouter::new()
        .routes(routes!(upload::accept))
        .layer(DefaultBodyLimit::max(limits.1))
        .split_for_parts();
    routes
        .merge(uploads)
        .layer(middleware::map_response(no_store))
        .fallback(|| async {
            Problem::new(StatusCode::NOT_FOUND, "not-found", "there is nothing here")
                .into_response()
        })
        .method_not_allowed_fallback(|| async {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "this address does not take that method",
            )
        })
        .with_state(app.clone())
        .merge(ui::router())
        .layer(CompressionLayer::new())
        .merge(health::router(health::Health::of_app(&app)))
        .layer(middleware::from_fn_with_state(app.clone(), seen::keep))
        .layer(middleware::from_fn_with_state(app, observe))
        .layer(middleware::map_response(security_headers))
        .layer(CatchPanicLayer::custom(|_| {
            Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "something is wrong on our side",
            )
            .into_response()
        }))
}

/// What the API answers is about patients: no cache keeps it.
async fn no_store(mut response: Response) -> Response {
    response
        .headers_mut()
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The seed's headers, without `X-XSS-Protection`, which does harm today, and with what it lacks.
async fn security_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (
            header::STRICT_TRANSPORT_SECURITY,
            "max-age=31536000; includeSubDomains",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
    ] {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Measures a request under its route, never under its path, which holds ids.
async fn observe(State(app): State<App>, request: Request, next: Next) -> Response {
    let begun = std::time::Instant::now();
    let method = method_label(request.method());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unmatched", MatchedPath::as_str)
        .to_owned();
    let response = next.run(request).await;
    let took = begun.elapsed();
    app.metrics
        .request(method, &route, response.status().as_u16(), took);
    tracing::debug!(
        method,
        route,
        status = response.status().as_u16(),
        took_ms = took.as_secs_f64() * 1_000.0,
        "answered"
    );
    response
}

/// A client can make methods up; a label comes from a closed list.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}
