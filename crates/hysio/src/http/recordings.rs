//! The audio itself, for the player beside the transcript.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::TryStreamExt as _;
use hysio_infra::{
    blobs::{BlobKey, Blobs},
    cipher::{self, FacilityKeys},
    postgres::encounters,
};
use hysio_model::id::RecordingId;
use serde_json::json;
use zeroize::Zeroizing;

use super::{
    app::App,
    extract::Path,
    problem::{Problem, Result},
    signed_in::Clinician,
    upload::place,
};

/// The decrypted audio of a recording. `Range` is honoured, so that the player can jump.
#[utoipa::path(get, path = "/api/recordings/{id}/audio", params(("id" = RecordingId, Path)), responses((status = 200, description = "the audio as it was sent"), (status = 206, description = "a part of it"), (status = 404, body = Problem)))]
pub async fn audio(
    State(app): State<App>,
    clinician: Clinician,
    Path(id): Path<RecordingId>,
    headers: HeaderMap,
) -> Result<Response> {
    let tx = clinician.tx(&app.db).await?;
    let found = encounters::recording(&tx, id).await?;
    app.metrics.patient_query("recording", found.is_some());
    let (recording, encounter) = found.ok_or_else(|| Problem::not_found("recording"))?;
    let keys = tx.shared_keys();
    tx.commit(&[clinician.audit(
        "recording.read",
        ("recording", id.to_string()),
        json!({ "encounter": encounter }),
    )])
    .await?;
    let audio = open(&app.blobs, &keys, id).await?;
    Ok(part(
        &audio,
        &recording.media_type,
        headers.get(header::RANGE),
    ))
}

/// Reads and decrypts a recording.
pub async fn open(
    blobs: &Blobs,
    keys: &Arc<FacilityKeys>,
    id: RecordingId,
) -> Result<Zeroizing<Vec<u8>>> {
    let key = BlobKey {
        facility: keys.facility(),
        recording: id,
    };
    let sealed = blobs
        .get(key)
        .await?
        .try_fold(Vec::new(), |mut all, piece| async move {
            all.extend_from_slice(&piece);
            Ok(all)
        });
    let sealed = sealed.await?;
    cipher::open_blob(keys, &place(id), &sealed)
        .map_err(|error| hysio_infra::postgres::Error::from(error).into())
}

fn part(audio: &[u8], media_type: &str, range: Option<&HeaderValue>) -> Response {
    let kind = HeaderValue::from_str(media_type)
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let common = [
        (header::CONTENT_TYPE, kind),
        (header::ACCEPT_RANGES, HeaderValue::from_static("bytes")),
    ];
    let wanted = range
        .and_then(|value| value.to_str().ok())
        .map(|text| byte_range(text, audio.len()));
    match wanted {
        None => (common, audio.to_vec()).into_response(),
        Some(Some((first, last))) => {
            let of = format!("bytes {first}-{last}/{}", audio.len());
            (
                StatusCode::PARTIAL_CONTENT,
                common,
                [(header::CONTENT_RANGE, of)],
                audio[first..=last].to_vec(),
            )
                .into_response()
        }
        Some(None) => {
            let of = format!("bytes */{}", audio.len());
            (
                StatusCode::RANGE_NOT_SATISFIABLE,
                [(header::CONTENT_RANGE, of)],
            )
                .into_response()
        }
    }
}

/// The first and last byte of a single range; None when it lies outside.
fn byte_range(text: &str, length: usize) -> Option<(usize, usize)> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let (first, last) = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) => (first, last.min(length.checked_sub(1)?)),
        (Ok(first), Err(_)) => (first, length.checked_sub(1)?),
        (Err(_), Ok(suffix)) => (length.saturating_sub(suffix), length.checked_sub(1)?),
        (Err(_), Err(_)) => return None,
    };
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::byte_range;

    #[test]
    fn ranges_are_cut_to_the_length_and_those_outside_are_refused() {
        for (text, expected) in [
            ("bytes=0-99", Some((0, 9))),
            ("bytes=4-", Some((4, 9))),
            ("bytes=-3", Some((7, 9))),
            ("bytes=2-5", Some((2, 5))),
            ("bytes=10-", None),
            ("bytes=5-2", None),
            ("items=0-1", None),
        ] {
            assert_eq!(byte_range(text, 10), expected, "{text}");
        }
        assert_eq!(byte_range("bytes=0-", 0), None);
    }
}
