//! The transcription service (:8080): the OpenAI-compatible `POST /v1/audio/transcriptions` and `GET /v1/models`.
//!
//! As many recordings are heard at a time as there are model workers; a bounded number waits; everybody else is told to
//! come back. Whoever hangs up stops the work on their recording. `prompt` and `temperature` are accepted and have no
//! effect: a prompt made the model invent sentences, and temperature is raised by itself where it helps.

mod admission;
mod error;
mod form;
mod progress;
mod reply;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Multipart, State},
    http::HeaderMap,
    response::Response,
    routing::{get, post},
};
use hysio_model::transcript::Language;
use hysio_speech::{
    Engine, Model, Options, Transcription, Watch,
    audio::{self, Limits, Warning},
};
use serde_json::{Value, json};

use self::{
    admission::{Admission, Place},
    error::Error,
    form::Form,
    progress::UnderWay,
};

/// How the service is set up.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Recordings heard at a time (`AI_MODEL_WORKERS`).
    pub model_workers: usize,
    /// Recordings that may wait for a worker (`QUEUE_WORKERS`).
    pub waiting_places: usize,
    pub body_bytes_max: usize,
    /// An upload that takes longer gives its place away.
    pub upload_time_max: Duration,
    pub audio: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            model_workers: 1,
            waiting_places: 16,
            body_bytes_max: 200 * 1024 * 1024,
            upload_time_max: Duration::from_secs(300),
            audio: Limits::default(),
        }
    }
}

/// One recording that was transcribed, for the metrics.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    pub language: Language,
    pub audio_seconds: f64,
    /// Decoding and hearing, without the upload and the wait.
    pub duration: Duration,
}

/// Told of each recording that was transcribed.
pub type Observer = Arc<dyn Fn(Observation) + Send + Sync>;

#[derive(Clone)]
pub struct Service {
    engine: Arc<Engine>,
    settings: Settings,
    admission: Admission,
    observer: Observer,
    under_way: UnderWay,
}

impl Service {
    #[must_use]
    pub fn new(engine: Arc<Engine>, settings: Settings, observer: Observer) -> Self {
        Self {
            engine,
            settings,
            admission: Admission::new(settings.model_workers, settings.waiting_places),
            observer,
            under_way: UnderWay::default(),
        }
    }

    /// Recordings that are being heard or wait to be.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.admission.taken()
    }
}

pub fn router(service: Service) -> Router {
    Router::new()
        .route("/v1/audio/transcriptions", post(transcribe))
        .route("/v1/audio/transcriptions/{request}", get(progress::read))
        .route("/v1/models", get(models))
        .layer(DefaultBodyLimit::max(service.settings.body_bytes_max))
        .with_state(service)
}

async fn transcribe(
    State(service): State<Service>,
    headers: HeaderMap,
    multipart: Result<Multipart, axum::extract::multipart::MultipartRejection>,
) -> Result<Response, Error> {
    let place = service.admission.enter()?;
    let multipart = multipart.map_err(|it| Error::Form(it.body_text()))?;
    let upload = tokio::time::timeout(service.settings.upload_time_max, Form::read(multipart));
    let form = upload.await.map_err(|_| Error::UploadTooSlow)??;
    let format = form.format;
    let (transcription, warnings) = service
        .hear(form, place, service.under_way.enter(&headers))
        .await?;
    Ok(reply::render(format, &transcription, &warnings))
}

impl Service {
    /// Waits for a worker and lets it work on the blocking pool. Dropping the future cancels the work.
    async fn hear(
        &self,
        form: Form,
        place: Place,
        request: progress::Request,
    ) -> Result<(Transcription, Vec<Warning>), Error> {
        let worker = self.admission.worker(place).await;
        let cancelled = CancelOnDrop::default();
        let (engine, limits) = (Arc::clone(&self.engine), self.settings.audio);
        let (flag, observer) = (Arc::clone(&cancelled.0), Arc::clone(&self.observer));
        let work = tokio::task::spawn_blocking(move || {
            // Held until the work is really over, not just until nobody waits for it.
            let _worker = worker;
            let started = Instant::now();
            let (heard, warnings) = hear(&engine, form, limits, &flag, &request)?;
            observer(Observation {
                language: heard.transcript.language,
                audio_seconds: heard.transcript.duration_seconds,
                duration: started.elapsed(),
            });
            Ok((heard, warnings))
        });
        work.await.unwrap_or(Err(Error::Engine))
    }
}

fn hear(
    engine: &Engine,
    form: Form,
    limits: Limits,
    cancelled: &AtomicBool,
    request: &progress::Request,
) -> Result<(Transcription, Vec<Warning>), Error> {
    let audio = audio::decode(form.file, limits)?;
    let options = Options {
        model: form.model,
        language: form.language,
    };
    let watch = Watch {
        progress: &|at| request.tell(at),
        cancelled,
    };
    let transcription = engine.transcribe(&audio, options, &watch)?;
    Ok((transcription, audio.warnings))
}

#[derive(Default)]
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The names that the `model` field takes: `auto`, OpenAI's own, and the installed models.
async fn models(State(service): State<Service>) -> Json<Value> {
    let installed = service.engine.folder().installed().into_iter();
    let names = ["auto", form::OPENAI_MODEL].into_iter();
    let entry =
        |name: &str| json!({"id": name, "object": "model", "created": 0, "owned_by": "hysio"});
    let data: Vec<Value> = names.chain(installed.map(Model::name)).map(entry).collect();
    Json(json!({"object": "list", "data": data}))
}

#[cfg(test)]
mod tests;
