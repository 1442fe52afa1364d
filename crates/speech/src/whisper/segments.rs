//! Tokens to segments with times, words and their confidence.

use hysio_model::transcript::{Segment, Word};

use super::decode::Decoded;
use crate::vocabulary::{Token, Vocabulary};

/// A segment, and how likely the model thought it that nobody spoke.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    pub segment: Segment,
    pub no_speech: f32,
}

/// `offset` is where the chunk starts in the recording and `seconds` its length.
pub fn segments(
    decoded: &Decoded,
    vocabulary: &Vocabulary,
    offset: f64,
    seconds: f64,
) -> Vec<Heard> {
    let mut heard = Vec::new();
    let mut start = 0.0;
    let mut spoken: Vec<(Token, f32)> = Vec::new();
    for (&token, &probability) in decoded.tokens.iter().zip(&decoded.probabilities) {
        if let Some(time) = vocabulary.timestamp_seconds(token) {
            heard.extend(segment(&spoken, vocabulary, offset + start, offset + time));
            spoken.clear();
            start = time;
        } else if vocabulary.is_text(token) {
            spoken.push((token, probability));
        }
    }
    heard.extend(segment(
        &spoken,
        vocabulary,
        offset + start,
        offset + seconds,
    ));
    let no_speech = decoded.no_speech;
    heard
        .into_iter()
        .map(|segment| Heard { segment, no_speech })
        .collect()
}

fn segment(
    spoken: &[(Token, f32)],
    vocabulary: &Vocabulary,
    start: f64,
    end: f64,
) -> Option<Segment> {
    let words = words(spoken, vocabulary);
    let text = words
        .iter()
        .map(|word| word.text.as_str())
        .collect::<Vec<_>>()
        .join(" ");
    (!text.is_empty()).then(|| Segment {
        start: milliseconds(start),
        end: milliseconds(end),
        confidence: geometric_mean(spoken.iter().map(|(_, probability)| *probability)),
        words,
        text,
    })
}

/// A token that starts with a space starts a word; punctuation stays with the word before.
fn words(spoken: &[(Token, f32)], vocabulary: &Vocabulary) -> Vec<Word> {
    let mut words: Vec<(Vec<u8>, Vec<f32>)> = Vec::new();
    for (token, probability) in spoken {
        let bytes = vocabulary.bytes(*token);
        match words.last_mut() {
            Some((text, probabilities)) if !bytes.starts_with(b" ") => {
                text.extend_from_slice(bytes);
                // How sure the model is of a comma says nothing of the word.
                if bytes
                    .iter()
                    .any(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii())
                {
                    probabilities.push(*probability);
                }
            }
            _ => words.push((bytes.to_vec(), vec![*probability])),
        }
    }
    let words = words.into_iter().map(|(text, probabilities)| Word {
        text: String::from_utf8_lossy(&text).trim().to_owned(),
        confidence: probabilities.iter().copied().fold(1.0, f32::min),
    });
    words.filter(|word| !word.text.is_empty()).collect()
}

fn geometric_mean(probabilities: impl ExactSizeIterator<Item = f32>) -> f32 {
    let count = probabilities.len().max(1) as f32;
    let sum: f32 = probabilities.map(|it| it.max(f32::MIN_POSITIVE).ln()).sum();
    (sum / count).exp()
}

fn milliseconds(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}
