//! Results of earlier requests, least recently used dropped first. A key is an HMAC under a key that lives and dies
//! with the process; a value is codes and offsets: neither says anything about a text to who does not have it.

use aws_lc_rs::hmac;
use hysio_clinical::diagnosecode::{Language, Query};
use hysio_model::diagnosis::Suggestion;
use lru::LruCache;

pub(super) type Key = [u8; 32];

/// What an entry costs beside its strings, about.
const ENTRY_BYTES: usize = 256;
const SUGGESTION_BYTES: usize = 160;
const EVIDENCE_BYTES: usize = 96;

pub(super) struct Cache {
    secret: hmac::Key,
    entries: LruCache<Key, Entry>,
    bytes: usize,
    bytes_max: usize,
}

/// Suggestions whose evidence has its words taken out.
struct Entry {
    suggestions: Vec<Suggestion>,
    bytes: usize,
}

impl Cache {
    pub(super) fn new(bytes_max: usize) -> Self {
        let random = aws_lc_rs::rand::SystemRandom::new();
        Self {
            secret: hmac::Key::generate(hmac::HMAC_SHA256, &random)
                .expect("the system's random source works, or no key could be made at all"),
            entries: LruCache::unbounded(),
            bytes: 0,
            bytes_max,
        }
    }

    pub(super) fn key(&self, text: &str, query: &Query) -> Key {
        let mut context = hmac::Context::with_key(&self.secret);
        let language = match query.language {
            None => "",
            Some(Language::English) => "en",
            Some(Language::Dutch) => "nl",
        };
        let patient = format!("{:?}", query.patient);
        for part in [
            query.system.as_str(),
            language,
            &query.limit.to_string(),
            &patient,
        ] {
            context.update(part.as_bytes());
            context.update(&[0]);
        }
        context.update(text.as_bytes());
        let mut key = [0; 32];
        key.copy_from_slice(context.sign().as_ref());
        key
    }

    /// The remembered suggestions, with the words of their evidence cut from the text again.
    pub(super) fn get(&mut self, key: &Key, text: &str) -> Option<Vec<Suggestion>> {
        let mut suggestions = self.entries.get(key)?.suggestions.clone();
        for evidence in suggestions
            .iter_mut()
            .flat_map(|suggestion| &mut suggestion.evidence)
        {
            let length = evidence.end - evidence.start;
            evidence.text = text.chars().skip(evidence.start).take(length).collect();
        }
        Some(suggestions)
    }

    pub(super) fn put(&mut self, key: Key, suggestions: &[Suggestion]) {
        let entry = Entry::without_words(suggestions);
        if entry.bytes > self.bytes_max {
            return;
        }
        self.bytes += entry.bytes;
        if let Some((_, old)) = self.entries.push(key, entry) {
            self.bytes -= old.bytes;
        }
        while self.bytes > self.bytes_max {
            let Some((_, oldest)) = self.entries.pop_lru() else {
                break;
            };
            self.bytes -= oldest.bytes;
        }
    }
}

impl Entry {
    fn without_words(suggestions: &[Suggestion]) -> Self {
        let mut suggestions = suggestions.to_vec();
        let mut bytes = ENTRY_BYTES;
        for suggestion in &mut suggestions {
            bytes += SUGGESTION_BYTES + suggestion.code.len() + suggestion.title.len();
            bytes += suggestion
                .cautions
                .iter()
                .map(|caution| SUGGESTION_BYTES + caution.reason.len())
                .sum::<usize>();
            bytes += suggestion
                .companion
                .as_ref()
                .map_or(0, |companion| companion.instruction.len());
            for evidence in &mut suggestion.evidence {
                evidence.text = String::new();
                bytes += EVIDENCE_BYTES + evidence.term.len();
            }
        }
        Self { suggestions, bytes }
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("size {0:?} is not understood: write a number and B, KB, MB or GB, such as 512MB")]
pub struct SizeError(String);

/// `1GB`, `512 MB`, `64kb`, `4096`: bytes, in powers of 1024.
pub fn parse_size(text: &str) -> Result<usize, SizeError> {
    let wrong = || SizeError(text.to_owned());
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: usize = match unit.trim().to_ascii_uppercase().as_str() {
        "" | "B" => 1,
        "K" | "KB" | "KIB" => 1 << 10,
        "M" | "MB" | "MIB" => 1 << 20,
        "G" | "GB" | "GIB" => 1 << 30,
        _ => return Err(wrong()),
    };
    number
        .parse::<usize>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use hysio_clinical::diagnosecode::Patient;
    use hysio_model::diagnosis::{CodeSystem, Evidence};

    use super::*;

    fn suggestion(text: &str) -> Suggestion {
        Suggestion {
            system: CodeSystem::Icd10Cm,
            code: "M25.562".to_owned(),
            title: "Pain in left knee".to_owned(),
            probability: 0.9,
            billable: true,
            evidence: vec![Evidence {
                start: 0,
                end: text.chars().count(),
                text: text.to_owned(),
                term: "Pain in left knee".to_owned(),
            }],
            ..Suggestion::default()
        }
    }

    #[test]
    fn a_result_comes_back_with_the_words_of_its_text_and_is_kept_without_them() {
        let mut cache = Cache::new(1 << 20);
        let key = cache.key("knee pain", &Query::default());
        cache.put(key, &[suggestion("knee pain")]);
        let kept = &cache.entries.peek(&key).unwrap().suggestions[0];
        assert_eq!(kept.evidence[0].text, "");
        let found = cache.get(&key, "knee pain").unwrap();
        assert_eq!(found[0].evidence[0].text, "knee pain");
    }

    #[test]
    fn another_limit_patient_or_text_is_another_key() {
        let cache = Cache::new(1 << 20);
        let query = Query::default();
        let key = cache.key("knee pain", &query);
        assert_ne!(key, cache.key("knee pains", &query));
        assert_ne!(key, cache.key("knee pain", &Query { limit: 11, ..query }));
        let patient = Patient {
            age_years: Some(7),
            sex: None,
        };
        assert_ne!(key, cache.key("knee pain", &Query { patient, ..query }));
    }

    #[test]
    fn the_least_recently_used_goes_first_when_the_memory_is_used_up() {
        let mut cache = Cache::new(1200);
        let keys: Vec<Key> = ["a", "b", "c"]
            .map(|text| cache.key(text, &Query::default()))
            .into();
        for key in &keys {
            cache.put(*key, &[suggestion("x")]);
        }
        assert!(cache.get(&keys[0], "x").is_none());
        assert!(cache.get(&keys[2], "x").is_some());
        assert!(cache.bytes <= 1200);
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        assert_eq!(parse_size("1GB"), Ok(1 << 30));
        assert_eq!(parse_size("64 kb"), Ok(64 << 10));
        assert_eq!(parse_size("0"), Ok(0));
        assert!(parse_size("1 apple").is_err());
        assert!(parse_size("99999999999999999999GB").is_err());
    }
}
