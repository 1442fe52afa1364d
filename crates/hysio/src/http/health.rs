//! `/health` (the process lives), `/ready` (it can do its work), `/metrics`: on every service.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router, extract::State, http::StatusCode, http::header, response::IntoResponse,
    routing::get,
};
use futures::future::BoxFuture;
use hysio_infra::postgres::Database;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::app::App;
use crate::metrics::{Metrics, QUEUE_STATES};

/// A check that takes longer has failed.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

type Check = Arc<dyn Fn() -> BoxFuture<'static, bool> + Send + Sync>;

/// What a service is asked about itself.
#[derive(Clone)]
pub struct Health {
    service: &'static str,
    metrics: Metrics,
    draining: CancellationToken,
    check: Check,
    refresh: Option<(Database, Duration)>,
}

impl Health {
    #[must_use]
    pub fn new(
        service: &'static str,
        metrics: Metrics,
        draining: CancellationToken,
        check: Check,
    ) -> Self {
        Self {
            service,
            metrics,
            draining,
            check,
            refresh: None,
        }
    }

    /// A service that needs the database; its `/metrics` also tells queues, sessions and accuracy.
    #[must_use]
    pub fn with_database(
        service: &'static str,
        metrics: Metrics,
        draining: CancellationToken,
        db: Database,
        idle: Duration,
    ) -> Self {
        let pinged = db.clone();
        let check: Check = Arc::new(move || {
            let db = pinged.clone();
            Box::pin(async move { db.ping().await.is_ok() })
        });
        Self {
            service,
            metrics,
            draining,
            check,
            refresh: Some((db, idle)),
        }
    }

    pub(super) fn of_app(app: &App) -> Self {
        Self::with_database(
            "app",
            app.metrics.clone(),
            app.draining.clone(),
            app.db.clone(),
            app.idle_timeout(),
        )
    }
}

pub fn router(health: Health) -> Router {
    Router::new()
        .route("/health", get(alive))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(health)
}

async fn alive(State(health): State<Health>) -> impl IntoResponse {
    Json(json!({ "status": "ok", "service": health.service, "version": env!("CARGO_PKG_VERSION") }))
}

async fn ready(State(health): State<Health>) -> impl IntoResponse {
    let (status, word) = if health.draining.is_cancelled() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining")
    } else if tokio::time::timeout(CHECK_TIMEOUT, (health.check)())
        .await
        .unwrap_or(false)
    {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready")
    };
    (
        status,
        Json(json!({ "status": word, "service": health.service })),
    )
}

async fn metrics(State(health): State<Health>) -> impl IntoResponse {
    if let Some((db, idle)) = &health.refresh {
        // A database that is away leaves the last figures; what is measured in the process is told all the same.
        let _ = tokio::time::timeout(CHECK_TIMEOUT, refresh(&health.metrics, db, *idle)).await;
    }
    (
        [(
            header::CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        health.metrics.render(),
    )
}

async fn refresh(
    metrics: &Metrics,
    db: &Database,
    idle: Duration,
) -> Result<(), hysio_infra::postgres::Error> {
    let (used, size) = db.usage();
    metrics.pool_usage(used, size);
    let depths = db.queue_depths().await?;
    for queue in hysio_model::QueueName::ALL {
        for state in QUEUE_STATES {
            let found = depths
                .iter()
                .find(|depth| depth.queue == queue && depth.state == state);
            metrics.queue(
                queue,
                state,
                found.map_or(0, |depth| depth.jobs),
                found.map_or(0.0, |depth| depth.oldest_seconds),
            );
        }
    }
    metrics.sessions(&db.active_sessions(idle).await?);
    for group in db.code_decisions().await? {
        metrics.accuracy(
            &group.specialty,
            &group.model,
            group.accepted,
            group.rejected,
        );
    }
    Ok(())
}
