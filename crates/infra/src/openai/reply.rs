//! What servers answer, and what is made of it.
//!
//! vLLM sends the duration as text and leaves out `no_speech_prob`; some send no segments, no words or no language.

use hysio_model::transcript::{Language, Segment, Transcript, Word};
use serde::Deserialize;

use super::Error;

/// A refusal may quote what was sent: only its beginning is kept.
const MESSAGE_CHARS_MAX: usize = 200;

#[derive(Deserialize)]
struct Reply {
    text: Option<String>,
    language: Option<String>,
    duration: Option<Number>,
    /// Which model it really was, where the server says so, as ours does.
    model: Option<String>,
    #[serde(default)]
    segments: Option<Vec<ReplySegment>>,
}

#[derive(Deserialize)]
struct ReplySegment {
    start: Option<Number>,
    end: Option<Number>,
    text: String,
    avg_logprob: Option<f32>,
    confidence: Option<f32>,
    #[serde(default)]
    words: Option<Vec<ReplyWord>>,
}

#[derive(Deserialize)]
struct ReplyWord {
    #[serde(alias = "text")]
    word: String,
    #[serde(alias = "probability")]
    confidence: Option<f32>,
}

/// A number, or a text that is one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Number(f64),
    Text(String),
}

impl Number {
    fn value(&self) -> Option<f64> {
        let value = match self {
            Self::Number(value) => Some(*value),
            Self::Text(text) => text.trim().parse().ok(),
        };
        value.filter(|it| it.is_finite() && *it >= 0.0)
    }
}

/// `asked` is the language where the server doesn't say one, and English where nobody does.
pub fn transcript(body: &[u8], model: &str, asked: Option<Language>) -> Result<Transcript, Error> {
    let reply: Reply = serde_json::from_slice(body)
        .map_err(|_| Error::Rubbish("it is not the JSON of a transcription"))?;
    let said = reply.language.and_then(|it| it.parse().ok());
    let segments = match reply.segments {
        Some(segments) => segments.into_iter().map(segment).collect(),
        None => whole(reply.text, reply.duration.as_ref())?,
    };
    let last = segments.last().map_or(0.0, |it: &Segment| it.end);
    Ok(Transcript {
        language: said.or(asked).unwrap_or(Language::English),
        duration_seconds: reply.duration.and_then(|it| it.value()).unwrap_or(last),
        segments,
        model: reply.model.unwrap_or_else(|| model.to_owned()),
    })
}

fn segment(segment: ReplySegment) -> Segment {
    let seconds = |number: Option<Number>| number.and_then(|it| it.value());
    let start = seconds(segment.start).unwrap_or(0.0);
    let mean = segment.avg_logprob.map(f32::exp);
    let words = segment.words.unwrap_or_default().into_iter();
    Segment {
        start,
        end: seconds(segment.end).unwrap_or(start).max(start),
        text: segment.text.trim().to_owned(),
        confidence: probability(segment.confidence.or(mean)),
        words: words
            .map(|it| Word {
                text: it.word.trim().to_owned(),
                confidence: probability(it.confidence),
            })
            .collect(),
    }
}

/// A server that knows no segments: one for everything, or none for silence.
fn whole(text: Option<String>, duration: Option<&Number>) -> Result<Vec<Segment>, Error> {
    let text = text.ok_or(Error::Rubbish("it has neither text nor segments"))?;
    let text = text.trim().to_owned();
    let end = duration.and_then(Number::value).unwrap_or(0.0);
    let segment = (!text.is_empty()).then(|| Segment {
        start: 0.0,
        end,
        text,
        confidence: probability(None),
        words: Vec::new(),
    });
    Ok(segment.into_iter().collect())
}

/// What a server does not tell counts as sure: there is nothing to single out.
fn probability(value: Option<f32>) -> f32 {
    value
        .filter(|it| it.is_finite())
        .map_or(1.0, |it| it.clamp(0.0, 1.0))
}

/// The server's own words, `{"error": {"message"}}`, `{"error": "…"}` or `{"detail": "…"}`, shortened.
pub fn refusal(body: &[u8]) -> String {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let message = ["/error/message", "/error", "/detail", "/message"]
        .iter()
        .find_map(|place| body.pointer(place)?.as_str());
    message.map_or_else(
        || "it does not say why".to_owned(),
        |it| it.chars().take(MESSAGE_CHARS_MAX).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Transcript, Error> {
        transcript(body.as_bytes(), "large-v3", Some(Language::Dutch))
    }

    #[test]
    fn a_full_answer_is_kept_in_full() {
        let transcript = read(
            r#"{"language":"english","duration":"12.5","text":" No pain. ","segments":[
                {"id":0,"start":0.5,"end":2,"text":" No pain.","avg_logprob":-0.1,"no_speech_prob":null,
                 "words":[{"word":" No","probability":0.9},{"word":" pain."}]}]}"#,
        )
        .expect("a transcript");
        assert_eq!(transcript.language, Language::English);
        assert!((transcript.duration_seconds - 12.5).abs() < 1e-9);
        let segment = &transcript.segments[0];
        assert_eq!((segment.start, segment.end), (0.5, 2.0));
        assert_eq!(segment.text, "No pain.");
        assert!((segment.confidence - (-0.1_f32).exp()).abs() < 1e-6);
        assert_eq!(segment.words[0].text, "No");
        assert!((segment.words[0].confidence - 0.9).abs() < 1e-6);
        assert_eq!(transcript.model, "large-v3");
    }

    #[test]
    fn a_scant_answer_is_made_the_most_of() {
        let transcript = read(r#"{"text":"Geen pijn."}"#).expect("a transcript");
        assert_eq!(transcript.language, Language::Dutch);
        assert_eq!(transcript.segments.len(), 1);
        let silence = read(r#"{"text":"","segments":null}"#).expect("a transcript");
        assert!(silence.segments.is_empty());
    }

    #[test]
    fn what_is_no_transcript_is_said_to_be_none() {
        for body in ["", "<html>", "[]", "{}", r#"{"segments":[{"start":1}]}"#] {
            assert!(matches!(read(body), Err(Error::Rubbish(_))), "{body}");
        }
    }

    #[test]
    fn a_refusal_is_understood_in_every_dialect() {
        let check = |body: &str, expected: &str| assert_eq!(refusal(body.as_bytes()), expected);
        check(r#"{"error":{"message":"too big"}}"#, "too big");
        check(r#"{"error":"no model"}"#, "no model");
        check(r#"{"detail":"wrong field"}"#, "wrong field");
        check("<html>", "it does not say why");
        assert_eq!(
            refusal(format!(r#"{{"detail":"{}"}}"#, "x".repeat(999)).as_bytes()).len(),
            200
        );
    }
}
