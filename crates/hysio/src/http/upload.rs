//! A recording comes in: sealed piece by piece as it arrives, never in the clear on disk, and accepted only when it is
//! whole and stored for good.

use axum::{
    extract::{
        Multipart, State,
        multipart::{Field, MultipartRejection},
    },
    http::StatusCode,
};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use hysio_infra::{
    blobs::BlobKey,
    cipher::{BlobSealer, FacilityKeys, Place},
    postgres::{encounters, jobs, stages},
};
use hysio_model::id::{EncounterId, JobId, RecordingId};
use serde::Serialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::{
    io,
    sync::{Arc, Mutex},
};
use utoipa::ToSchema;

use super::{
    app::App,
    extract::Json,
    idempotency::Key,
    jobs::{JobView, load},
    problem::{Problem, Result},
    signed_in::Clinician,
};

#[derive(Serialize, ToSchema)]
pub struct Accepted {
    job: JobView,
    encounter_id: EncounterId,
    recording_id: RecordingId,
}

#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes the form, whose parts are read as they come"
)]
struct Form {
    encounter_id: EncounterId,
    #[schema(value_type = String, format = "binary")]
    file: Vec<u8>,
}

/// What was found out while a recording streamed past.
#[derive(Default)]
struct Seen {
    bytes: u64,
    hash: Sha256,
}

struct Stored {
    recording: RecordingId,
    media_type: &'static str,
    bytes: i64,
    digest: Vec<u8>,
}

/// Send a dictation or recording of an encounter.
#[utoipa::path(post, path = "/api/transcription", request_body(content = Form, content_type = "multipart/form-data"), responses((status = 202, body = Accepted), (status = 409, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem), (status = 507, body = Problem)))]
pub async fn accept(
    State(app): State<App>,
    clinician: Clinician,
    key: Key,
    form: std::result::Result<Multipart, MultipartRejection>,
) -> Result<(StatusCode, Json<Accepted>)> {
    let key = key.required()?;
    let mut form = form.map_err(|_| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "not-multipart",
            "send multipart/form-data with encounter_id and file",
        )
    })?;
    let encounter = encounter_id(&mut form).await?;
    // Asked before the upload is read, so that nobody sends an hour of audio in vain.
    let tx = clinician.tx(&app.db).await?;
    encounters::get(&tx, encounter)
        .await?
        .ok_or_else(|| Problem::not_found("encounter"))?;
    let keys = tx.shared_keys();
    drop(tx);
    let file =
        form.next_field().await.map_err(broken)?.ok_or_else(|| {
            Problem::invalid("the part file is missing").with("field", "file".into())
        })?;
    let stored = store(&app, &clinician, &keys, file).await?;
    let blob = BlobKey {
        facility: clinician.facility,
        recording: stored.recording,
    };
    match commit(&app, &clinician, &key, encounter, &stored).await {
        Ok(accepted) if accepted.recording_id == stored.recording => {
            Ok((StatusCode::ACCEPTED, Json(accepted)))
        }
        Ok(earlier) => {
            app.blobs.delete(blob).await?;
            Ok((StatusCode::ACCEPTED, Json(earlier)))
        }
        // Whether a commit that was cut off took place is unknown: then the audio stays, and the sweep decides later.
        Err(problem) if problem.is_unavailable() => Err(problem),
        Err(problem) => {
            app.blobs.delete(blob).await?;
            Err(problem)
        }
    }
}

async fn encounter_id(form: &mut Multipart) -> Result<EncounterId> {
    let first = form.next_field().await.map_err(broken)?;
    let field = first.filter(|field| field.name() == Some("encounter_id"));
    let field = field.ok_or_else(|| {
        Problem::invalid("the first part must be encounter_id, the second file")
            .with("field", "encounter_id".into())
    })?;
    let text = field.text().await.map_err(broken)?;
    text.trim()
        .parse()
        .map_err(|_| Problem::not_found("encounter"))
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err gives it")]
fn broken(error: axum::extract::multipart::MultipartError) -> Problem {
    let status = error.status();
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::new(
            status,
            "too-large",
            "the recording is larger than this server takes: split it, or ask for a higher http.upload_bytes_max",
        );
    }
    Problem::new(
        StatusCode::BAD_REQUEST,
        "upload-incomplete",
        "the upload broke off or is not multipart/form-data; send it again",
    )
}

/// Seals the audio on its way to disk.
async fn store(
    app: &App,
    clinician: &Clinician,
    keys: &Arc<FacilityKeys>,
    mut file: Field<'_>,
) -> Result<Stored> {
    let head = head(&mut file).await?;
    let media_type = media_type(&head)?;
    let recording = RecordingId::new();
    let seen = Arc::new(Mutex::new(Seen::default()));
    let failure = Arc::new(Mutex::new(None));
    let sealed = {
        let (seen, failure) = (seen.clone(), failure.clone());
        let audio = stream::once(async { Ok(head) }).chain_file(file, failure);
        let mut header = Vec::new();
        let sealer = BlobSealer::new(keys, &place(recording), &mut header);
        stream::once(async { Ok(Bytes::from(header)) }).chain(seal(audio, sealer, seen))
    };
    let key = BlobKey {
        facility: clinician.facility,
        recording,
    };
    let stored = app.blobs.put(key, sealed).await;
    if let Some(problem) = failure.lock().expect("not poisoned").take() {
        return Err(problem);
    }
    stored?;
    let seen = std::mem::take(&mut *seen.lock().expect("not poisoned"));
    Ok(Stored {
        recording,
        media_type,
        bytes: i64::try_from(seen.bytes).unwrap_or(i64::MAX),
        digest: seen.hash.finalize().to_vec(),
    })
}

/// Where a recording's audio is stored, as its ciphertext knows it.
pub fn place(recording: RecordingId) -> Place {
    Place::new("recordings", "audio", recording)
}

/// Enough of the beginning to tell what it is.
async fn head(file: &mut Field<'_>) -> Result<Bytes> {
    const ENOUGH: usize = 4_096;
    let mut head = Vec::new();
    while head.len() < ENOUGH {
        match file.chunk().await.map_err(broken)? {
            Some(chunk) => head.extend_from_slice(&chunk),
            None => break,
        }
    }
    if head.is_empty() {
        return Err(Problem::invalid(
            "the recording is empty: nothing was recorded, or the file has no content",
        )
        .with("field", "file".into()));
    }
    Ok(head.into())
}

/// What the content says it is, whatever the file is called.
fn media_type(head: &[u8]) -> Result<&'static str> {
    let kind = infer::get(head).map(|kind| kind.mime_type());
    kind.filter(|mime| {
        mime.starts_with("audio/")
            || [
                "video/webm",
                "video/mp4",
                "video/x-matroska",
                "video/quicktime",
                "application/ogg",
                "video/ogg",
            ]
            .contains(mime)
    })
    .ok_or_else(|| {
        Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not-audio",
            "this is not audio that can be read: send WAV, FLAC, MP3, OGG, M4A or WebM",
        )
    })
}

trait ChainFile: Sized {
    fn chain_file(
        self,
        file: Field<'_>,
        failure: Arc<Mutex<Option<Problem>>>,
    ) -> impl futures::Stream<Item = io::Result<Bytes>> + Send;
}

impl<S: futures::Stream<Item = io::Result<Bytes>> + Send> ChainFile for S {
    fn chain_file(
        self,
        file: Field<'_>,
        failure: Arc<Mutex<Option<Problem>>>,
    ) -> impl futures::Stream<Item = io::Result<Bytes>> + Send {
        self.chain(file.map_err(move |error| {
            *failure.lock().expect("not poisoned") = Some(broken(error));
            io::ErrorKind::UnexpectedEof.into()
        }))
    }
}

fn seal(
    audio: impl futures::Stream<Item = io::Result<Bytes>> + Send,
    sealer: BlobSealer,
    seen: Arc<Mutex<Seen>>,
) -> impl futures::Stream<Item = io::Result<Bytes>> + Send {
    let state = Some((Box::pin(audio), sealer));
    stream::try_unfold(state, move |state| {
        let seen = seen.clone();
        async move {
            let Some((mut audio, mut sealer)) = state else {
                return Ok(None);
            };
            let mut out = Vec::new();
            match audio.try_next().await? {
                Some(chunk) => {
                    {
                        let mut seen = seen.lock().expect("not poisoned");
                        seen.bytes += chunk.len() as u64;
                        seen.hash.update(&chunk);
                    }
                    sealer.push(&chunk, &mut out);
                    Ok(Some((Bytes::from(out), Some((audio, sealer)))))
                }
                None => {
                    sealer.finish(&mut out);
                    Ok(Some((Bytes::from(out), None)))
                }
            }
        }
    })
}

async fn commit(
    app: &App,
    clinician: &Clinician,
    key: &Key,
    encounter: EncounterId,
    stored: &Stored,
) -> Result<Accepted> {
    let content = [
        b"POST /api/transcription".as_slice(),
        encounter.0.as_bytes(),
        &stored.digest,
    ];
    let tx = clinician.tx(&app.db).await?;
    // Held before asking, so that of two at once the second finds what the first has made.
    encounters::lock(&tx, encounter).await?;
    if let Some(made) = key.earlier(&tx, clinician.user, &content).await? {
        return earlier(&tx, encounter, &made).await;
    }
    let (bytes, by) = (stored.bytes, clinician.user);
    let job = stages::accept(
        &tx,
        encounter,
        stored.recording,
        stored.media_type,
        bytes,
        by,
    )
    .await?
    .ok_or_else(|| Problem::not_found("encounter"))?;
    key.remember(
        &tx,
        clinician.user,
        &content,
        format!("{} {job}", stored.recording),
    )
    .await?;
    let view = load(&tx, job)
        .await?
        .ok_or_else(|| Problem::not_found("job"))?;
    let details = json!({ "encounter": encounter, "job": job, "bytes": bytes, "media_type": stored.media_type });
    tx.commit(&[clinician.audit(
        "recording.accept",
        ("recording", stored.recording.to_string()),
        details,
    )])
    .await?;
    Ok(Accepted {
        job: view,
        encounter_id: encounter,
        recording_id: stored.recording,
    })
}

async fn earlier(
    tx: &hysio_infra::postgres::Tx,
    encounter: EncounterId,
    made: &str,
) -> Result<Accepted> {
    let lost = || Problem::not_found("job");
    let (recording, job) = made.split_once(' ').ok_or_else(lost)?;
    let (recording_id, job): (RecordingId, JobId) = (
        recording.parse().map_err(|_| lost())?,
        job.parse().map_err(|_| lost())?,
    );
    let job = jobs::get(tx, job).await?.ok_or_else(lost)?;
    Ok(Accepted {
        job: super::jobs::with_stage(tx, job).await?,
        encounter_id: encounter,
        recording_id,
    })
}
