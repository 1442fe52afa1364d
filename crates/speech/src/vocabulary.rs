//! Whisper's tokens: what each stands for. Only from tokens to text; Hysio never gives the model a text.

use std::{collections::HashMap, path::Path};

use hysio_model::transcript::Language;
use serde::Deserialize;

use crate::runtime;

/// A token's number.
pub type Token = u32;

/// Tokens with a meaning of their own, and the bytes of all others.
pub struct Vocabulary {
    bytes: Vec<Vec<u8>>,
    pub start: Token,
    pub end: Token,
    pub transcribe: Token,
    pub no_speech: Token,
    pub no_timestamps: Token,
    languages: HashMap<String, Token>,
    /// Never said.
    pub suppressed: Vec<Token>,
    /// Never said first.
    pub suppressed_first: Vec<Token>,
}

/// `generation_config.json`, the parts that are used.
#[derive(Deserialize)]
struct Generation {
    decoder_start_token_id: Token,
    eos_token_id: Token,
    lang_to_id: HashMap<String, Token>,
    task_to_id: HashMap<String, Token>,
    no_timestamps_token_id: Token,
    suppress_tokens: Vec<Token>,
    begin_suppress_tokens: Vec<Token>,
}

impl Vocabulary {
    pub fn load(vocabulary: &Path, generation: &Path) -> Result<Self, runtime::Error> {
        let words: HashMap<String, Token> = runtime::read_json(vocabulary)?;
        let config: Generation = runtime::read_json(generation)?;
        let transcribe = config.task_to_id.get("transcribe").copied();
        Ok(Self {
            bytes: bytes_of(&words, config.eos_token_id as usize),
            start: config.decoder_start_token_id,
            end: config.eos_token_id,
            transcribe: transcribe
                .ok_or_else(|| runtime::damaged(generation, &"no task transcribe"))?,
            // The order of the last special tokens is fixed: no speech, no timestamps, then 0.00 s.
            no_speech: config.no_timestamps_token_id - 1,
            no_timestamps: config.no_timestamps_token_id,
            languages: config.lang_to_id,
            suppressed: config.suppress_tokens,
            suppressed_first: config.begin_suppress_tokens,
        })
    }

    pub fn language(&self, language: Language) -> Option<Token> {
        self.languages.get(&format!("<|{language}|>")).copied()
    }

    /// The token of 0.00 s; each that follows is [`TIMESTAMP_SECONDS`] later.
    pub fn timestamp_first(&self) -> Token {
        self.no_timestamps + 1
    }

    pub fn timestamp_seconds(&self, token: Token) -> Option<f64> {
        let steps = token.checked_sub(self.timestamp_first())?;
        Some(f64::from(steps) * TIMESTAMP_SECONDS)
    }

    pub fn is_text(&self, token: Token) -> bool {
        token < self.end
    }

    /// Part of a text in UTF-8; a character may be spread over several tokens.
    pub fn bytes(&self, token: Token) -> &[u8] {
        self.bytes.get(token as usize).map_or(&[], Vec::as_slice)
    }

    pub fn text(&self, tokens: &[Token]) -> String {
        let bytes: Vec<u8> = tokens
            .iter()
            .flat_map(|token| self.bytes(*token))
            .copied()
            .collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Seconds from one timestamp token to the next.
pub const TIMESTAMP_SECONDS: f64 = 0.02;

fn bytes_of(words: &HashMap<String, Token>, count: usize) -> Vec<Vec<u8>> {
    let alphabet = alphabet();
    let mut bytes = vec![Vec::new(); count];
    for (word, token) in words {
        if let Some(slot) = bytes.get_mut(*token as usize) {
            *slot = word
                .chars()
                .filter_map(|it| alphabet.get(&it).copied())
                .collect();
        }
    }
    bytes
}

/// GPT-2 writes each byte as one printable character: printable Latin-1 as itself, the others from U+0100 on, in order.
fn alphabet() -> HashMap<char, u8> {
    let printable = |byte: u8| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let itself = (0..=u8::MAX)
        .filter(|it| printable(*it))
        .map(|it| (char::from(it), it));
    let moved = (0..=u8::MAX).filter(|it| !printable(*it));
    let moved = ('\u{100}'..).zip(moved);
    itself.chain(moved).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_spelt_in_the_byte_alphabet() {
        let words = HashMap::from([("Ġhart".to_owned(), 0), ("Ã©".to_owned(), 1)]);
        let bytes = bytes_of(&words, 2);
        assert_eq!(bytes[0], b" hart");
        assert_eq!(bytes[1], "é".as_bytes());
        assert_eq!(alphabet().len(), 256);
    }
}
