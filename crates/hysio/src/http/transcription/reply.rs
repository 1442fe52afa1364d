//! A transcript in the form that was asked for.

use axum::{
    Json,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use hysio_model::transcript::{Language, Segment, Word};
use hysio_speech::{Transcription, audio::Warning, captions};
use serde_json::{Value, json};

use super::form::Format;

pub fn render(format: Format, transcription: &Transcription, warnings: &[Warning]) -> Response {
    let transcript = &transcription.transcript;
    match format {
        Format::Json => {
            Json(with_warnings(json!({"text": transcript.text()}), warnings)).into_response()
        }
        Format::VerboseJson => {
            Json(with_warnings(verbose(transcription), warnings)).into_response()
        }
        Format::Text => plain("text/plain; charset=utf-8", transcript.text() + "\n"),
        Format::Srt => plain(
            "application/x-subrip; charset=utf-8",
            captions::srt(transcript),
        ),
        Format::Vtt => plain("text/vtt; charset=utf-8", captions::vtt(transcript)),
    }
}

fn plain(kind: &'static str, text: String) -> Response {
    ([(CONTENT_TYPE, kind)], text).into_response()
}

fn with_warnings(mut body: Value, warnings: &[Warning]) -> Value {
    if !warnings.is_empty() {
        let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        body["warnings"] = warnings.into();
    }
    body
}

fn verbose(transcription: &Transcription) -> Value {
    let transcript = &transcription.transcript;
    let segments = transcript.segments.iter().zip(&transcription.no_speech);
    let segments: Vec<Value> = (0..)
        .zip(segments)
        .map(|(id, (it, no_speech))| segment(id, it, *no_speech))
        .collect();
    json!({
        "task": "transcribe",
        "language": match transcript.language {
            Language::English => "english",
            Language::Dutch => "dutch",
        },
        "duration": transcript.duration_seconds,
        "text": transcript.text(),
        "model": transcript.model,
        "segments": segments,
    })
}

fn segment(id: usize, segment: &Segment, no_speech: f32) -> Value {
    let word = |it: &Word| json!({"word": it.text, "confidence": it.confidence});
    json!({
        "id": id,
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        // The confidence is the geometric mean of the tokens' probabilities, so this is the mean of their logarithms.
        "avg_logprob": segment.confidence.max(f32::MIN_POSITIVE).ln(),
        "no_speech_prob": no_speech,
        "confidence": segment.confidence,
        "words": segment.words.iter().map(word).collect::<Vec<_>>(),
    })
}
