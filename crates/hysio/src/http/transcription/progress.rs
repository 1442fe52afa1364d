//! How far the service is with a request: for who sent it with an `X-Request-Id` and asks
//! `GET /v1/audio/transcriptions/{id}` meanwhile. OpenAI's interface has no such thing.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU32, Ordering},
    },
};

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use hysio_speech::Progress;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Service;

type Shares = HashMap<Uuid, Arc<AtomicU32>>;

/// The requests that are under way. As many as are admitted, so it is bounded with them.
#[derive(Clone, Default)]
pub struct UnderWay(Arc<Mutex<Shares>>);

/// One request, until it is dropped.
pub struct Request {
    id: Option<Uuid>,
    share: Arc<AtomicU32>,
    all: UnderWay,
}

impl UnderWay {
    pub fn enter(&self, headers: &HeaderMap) -> Request {
        let id = headers
            .get("x-request-id")
            .and_then(|value| value.to_str().ok()?.parse().ok());
        let share = Arc::new(AtomicU32::new(0));
        if let Some(id) = id {
            self.shares().insert(id, Arc::clone(&share));
        }
        Request {
            id,
            share,
            all: self.clone(),
        }
    }

    fn shares(&self) -> MutexGuard<'_, Shares> {
        self.0.lock().expect("nothing panics while it is held")
    }
}

impl Request {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a share for people to look at"
    )]
    pub fn tell(&self, at: Progress) {
        let share = (at.seconds_done / at.seconds_total.max(f64::EPSILON)).clamp(0.0, 1.0) as f32;
        self.share.store(share.to_bits(), Ordering::Relaxed);
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.all.shares().remove(&id);
        }
    }
}

pub(super) async fn read(
    State(service): State<Service>,
    Path(id): Path<Uuid>,
) -> Result<Json<Value>, StatusCode> {
    let share = service
        .under_way
        .shares()
        .get(&id)
        .map(|share| f32::from_bits(share.load(Ordering::Relaxed)));
    share
        .map(|progress| Json(json!({ "progress": progress })))
        .ok_or(StatusCode::NOT_FOUND)
}
