//! From what was heard to tokens: the likeliest token each time; when the result loops or is improbable, again with more and
//! more chance, as the reference decoder does. Chance is seeded, so the same sound gives the same text.

use std::sync::Arc;

use flate2::{Compression, write::ZlibEncoder};
use hysio_model::transcript::Language;
use rten::ThreadPool;

use super::{
    Encoded, Whisper,
    rules::{Rules, log_sum_exp},
};
use crate::{runtime::Error, vocabulary::Token};

/// Tried in turn until a result is good enough.
const TEMPERATURES: [f32; 4] = [0.0, 0.2, 0.4, 0.8];
/// Text that compresses better than this repeats itself.
const COMPRESSION_RATIO_MAX: f32 = 2.4;
/// Below this mean log-probability the text is a guess.
const LOG_PROBABILITY_MIN: f32 = -1.0;
/// Above this, and with a guessed text, there was no speech.
const NO_SPEECH_MIN: f32 = 0.6;
/// Tokens said about one chunk: the decoder has 448 places, and 30 s of quick speech is about 200.
const TOKENS_MAX: usize = 440;
/// A phrase said this often in a row is a loop.
const REPEATS_MAX: usize = 5;
/// Longest phrase looked at for a loop, in tokens.
const PHRASE_MAX: usize = 12;

/// What was said about a chunk.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// Text and timestamps, without the prompt and the end.
    pub tokens: Vec<Token>,
    /// The probability of each token.
    pub probabilities: Vec<f32>,
    pub mean_log_probability: f32,
    /// How likely nobody spoke.
    pub no_speech: f32,
    looped: bool,
}

impl Decoded {
    fn is_better_than(&self, other: &Self) -> bool {
        match (self.looped, other.looped) {
            (false, true) => true,
            (true, false) => false,
            _ => self.mean_log_probability > other.mean_log_probability,
        }
    }
}

/// A place to hear one chunk: the model, the threads to use, and whether to go on.
pub struct Listener<'a> {
    pub whisper: &'a Whisper,
    pub pool: &'a Arc<ThreadPool>,
    pub cancelled: &'a (dyn Fn() -> bool + Sync),
}

impl Listener<'_> {
    /// The unnormalised log-probability of each language.
    pub fn languages(&self, encoded: &Encoded) -> Result<[(Language, f32); 2], Error> {
        let prompt = [self.whisper.vocabulary.start];
        let (logits, _) = self.whisper.start(encoded, &prompt, self.pool)?;
        Ok(self.whisper.language_scores(&logits.last()))
    }

    /// Nothing when there was no speech.
    pub fn decode(
        &self,
        encoded: &Encoded,
        language: Language,
        seconds: f64,
    ) -> Result<Option<Decoded>, Error> {
        let mut best: Option<Decoded> = None;
        for temperature in TEMPERATURES {
            let decoded = self.decode_at(encoded, language, seconds, temperature)?;
            let guessed = decoded.mean_log_probability < LOG_PROBABILITY_MIN;
            if guessed && decoded.no_speech > NO_SPEECH_MIN {
                return Ok(None);
            }
            let repeats = self.compression_ratio(&decoded) > COMPRESSION_RATIO_MAX;
            if !guessed && !repeats && !decoded.looped {
                return Ok(Some(decoded));
            }
            // Nothing is quite good: the surest is kept, as its words may well have been said twice.
            if best
                .as_ref()
                .is_none_or(|best| decoded.is_better_than(best))
            {
                best = Some(decoded);
            }
        }
        Ok(best)
    }

    fn decode_at(
        &self,
        encoded: &Encoded,
        language: Language,
        seconds: f64,
        temperature: f32,
    ) -> Result<Decoded, Error> {
        let vocabulary = &self.whisper.vocabulary;
        let language = vocabulary.language(language);
        let language = language.ok_or_else(|| Error::Run("the language is unknown".into()))?;
        let prompt = [vocabulary.start, language, vocabulary.transcribe];
        let (first, mut cache) = self.whisper.start(encoded, &prompt, self.pool)?;
        let no_speech = probability(&first.after(0), vocabulary.no_speech);

        let rules = Rules::new(vocabulary, seconds);
        let mut random = fastrand::Rng::with_seed(temperature.to_bits().into());
        let (mut tokens, mut probabilities) = (Vec::new(), Vec::new());
        let (mut sum, mut looped) = (0.0, false);
        let mut logits = first.last();
        loop {
            if (self.cancelled)() {
                return Err(Error::Cancelled);
            }
            rules.apply(&tokens, &mut logits);
            let token = choose(&logits, temperature, &mut random);
            let log_probability = logits[token as usize] - log_sum_exp(&logits);
            sum += log_probability;
            if token == vocabulary.end {
                break;
            }
            tokens.push(token);
            probabilities.push(log_probability.exp());
            looped = loops(&tokens);
            if looped || tokens.len() == TOKENS_MAX {
                break;
            }
            logits = self
                .whisper
                .step(encoded, token, &mut cache, self.pool)?
                .last();
        }
        let mean_log_probability = sum / (tokens.len() + 1) as f32;
        if looped {
            let kept = before_loop(&tokens);
            tokens.truncate(kept);
            probabilities.truncate(kept);
        }
        Ok(Decoded {
            mean_log_probability,
            tokens,
            probabilities,
            no_speech,
            looped,
        })
    }

    fn compression_ratio(&self, decoded: &Decoded) -> f32 {
        let vocabulary = &self.whisper.vocabulary;
        let words = decoded.tokens.iter().copied();
        let words: Vec<Token> = words.filter(|token| vocabulary.is_text(*token)).collect();
        compression_ratio(&vocabulary.text(&words))
    }
}

fn choose(logits: &[f32], temperature: f32, random: &mut fastrand::Rng) -> Token {
    if temperature == 0.0 {
        let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        return best.map_or(0, |(at, _)| at as Token);
    }
    let scaled: Vec<f32> = logits.iter().map(|logit| logit / temperature).collect();
    let total = log_sum_exp(&scaled);
    let mut left = random.f32();
    let mut chosen = 0;
    for (at, logit) in scaled.iter().enumerate().filter(|(_, it)| it.is_finite()) {
        chosen = at;
        left -= (logit - total).exp();
        if left <= 0.0 {
            break;
        }
    }
    chosen as Token
}

fn probability(logits: &[f32], token: Token) -> f32 {
    (logits[token as usize] - log_sum_exp(logits)).exp()
}

/// Bytes of the text to bytes of its zlib form.
fn compression_ratio(text: &str) -> f32 {
    use std::io::Write as _;
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder
        .write_all(text.as_bytes())
        .expect("writing to memory does not fail");
    let compressed = encoder.finish().expect("writing to memory does not fail");
    text.len() as f32 / compressed.len() as f32
}

/// Whether the last tokens are the same phrase again and again. Timestamps count, so "yes." at two times is none.
fn loops(tokens: &[Token]) -> bool {
    looping_phrase(tokens).is_some()
}

/// The length of the phrase that the tokens end in again and again.
fn looping_phrase(tokens: &[Token]) -> Option<usize> {
    (1..=PHRASE_MAX).find(|length| {
        let Some(tail) = tokens.len().checked_sub(length * REPEATS_MAX) else {
            return false;
        };
        let (phrase, rest) = tokens[tail..].split_at(*length);
        rest.chunks(*length).all(|it| it == phrase)
    })
}

/// How many tokens there are up to the loop, its phrase said once.
fn before_loop(tokens: &[Token]) -> usize {
    let phrase = looping_phrase(tokens).unwrap_or(0);
    tokens.len() - phrase * (REPEATS_MAX - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_in_a_row_is_a_loop_and_a_list_is_not() {
        assert!(loops(&[1, 2, 7, 8, 7, 8, 7, 8, 7, 8, 7, 8]));
        assert!(loops(&[3; REPEATS_MAX]));
        assert!(!loops(&[1, 7, 8, 2, 7, 8, 3, 7, 8, 4, 7, 8]));
        assert!(!loops(&[3; REPEATS_MAX - 1]));
        assert_eq!(before_loop(&[1, 2, 7, 8, 7, 8, 7, 8, 7, 8, 7, 8]), 4);
    }

    #[test]
    fn repeated_text_compresses_too_well() {
        assert!(compression_ratio(&"I'm sorry. ".repeat(20)) > COMPRESSION_RATIO_MAX);
        let plain = "He has had a dry cough since Tuesday and some pain when breathing in.";
        assert!(compression_ratio(plain) < COMPRESSION_RATIO_MAX);
    }

    #[test]
    fn chance_follows_the_probabilities_and_never_takes_what_is_forbidden() {
        let logits = [f32::NEG_INFINITY, 2.0, 0.0, f32::NEG_INFINITY];
        let mut random = fastrand::Rng::with_seed(1);
        let mut counts = [0_u32; 4];
        for _ in 0..1000 {
            counts[choose(&logits, 1.0, &mut random) as usize] += 1;
        }
        assert_eq!((counts[0], counts[3]), (0, 0));
        assert!((820..940).contains(&counts[1]), "{counts:?}");
        assert_eq!(choose(&logits, 0.0, &mut random), 1);
    }
}
