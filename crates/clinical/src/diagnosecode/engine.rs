//! The engine: text and query in, suggestions out.

use std::path::Path;

use hysio_model::diagnosis::{CodeSystem, Evidence, Suggestion};

use super::{
    Catalogue,
    catalogue::{self, Code},
    dcsph::Dcsph,
    matcher::{Match, Matcher},
    text::{Analyzer, Dutch, Scope, Token, Word, is_present, scopes, sentences, stem, words},
};

/// Names this ranking in answers and metrics; raised when suggestions change.
pub const MODEL_VERSION: &str = "phrase-cover-2";

/// A longer text is refused. A dictated hour has about 60 kB.
pub const MAX_TEXT_BYTES: usize = 1 << 20;

/// More suggestions help nobody to choose.
pub const MAX_LIMIT: usize = 100;

/// A single sentence of at most this many tokens is one finding; anything longer is a note of several.
const PHRASE_TOKENS_MAX: usize = 14;

/// Words by which the language of a text is told.
const LANGUAGE_WORDS_MAX: usize = 200;

/// A shorter text is judged by its words alone.
const BINARY_CHARS_MIN: usize = 32;

/// Places that are shown for a suggestion: the first ones convince or none does.
const EVIDENCE_MAX: usize = 32;

/// Nobody types more than this into a search.
const SEARCH_BYTES_MAX: usize = 200;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Catalogue(#[from] catalogue::Error),
    #[error(
        "the text has {bytes} bytes or more; at most {MAX_TEXT_BYTES} are taken: send it in parts"
    )]
    TooLong { bytes: usize },
    #[error(
        "this is no text but binary data (more than one character in ten is a control character)"
    )]
    NotText,
    #[error("a limit of {limit} was asked for; it must be 1 to {MAX_LIMIT}")]
    Limit { limit: usize },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    English,
    Dutch,
}

/// What is wanted for a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Query {
    pub system: CodeSystem,
    /// Told apart by its words if not given.
    pub language: Option<Language>,
    pub limit: usize,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            system: CodeSystem::Icd10Cm,
            language: None,
            limit: 10,
        }
    }
}

/// A suggestion with what its rank is made of.
#[derive(Debug, Clone)]
pub struct Explained {
    pub suggestion: Suggestion,
    /// Log-odds.
    pub score: f32,
    pub features: Vec<(&'static str, f32)>,
}

/// What the matcher finds in a note before anything is weighed.
#[derive(Debug)]
pub struct NoteEvidence {
    /// The stems that each sentence says to be present.
    pub sentences: Vec<Vec<String>>,
    /// The codes that terms name, without dot and seventh character, each with the features that tell how.
    pub named: Vec<(String, [f32; 11])>,
}

/// A catalogue, opened and ready to match. Cheap to share; holds no text.
#[derive(Debug)]
pub struct Engine {
    catalogue: Catalogue,
    analyzer: Analyzer,
    dutch: Dutch,
    dcsph: Dcsph,
    matcher: Matcher,
}

impl Engine {
    pub fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self::new(catalogue::file::read(path)?))
    }

    #[must_use]
    pub fn new(catalogue: Catalogue) -> Self {
        Self {
            matcher: Matcher::new(&catalogue),
            analyzer: Analyzer::english(),
            dutch: Dutch::new(catalogue.terms.stems()),
            dcsph: Dcsph::new(),
            catalogue,
        }
    }

    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The codes that the text supports, most probable first, none twice. An empty list if it supports none.
    /// The first `n` suggestions do not depend on the limit.
    pub fn suggest(&self, text: &str, query: &Query) -> Result<Vec<Suggestion>, Error> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(Error::TooLong { bytes: text.len() });
        }
        if is_binary(text) {
            return Err(Error::NotText);
        }
        if query.limit == 0 || query.limit > MAX_LIMIT {
            return Err(Error::Limit { limit: query.limit });
        }
        let mut suggestions = match query.system {
            CodeSystem::Icd10Cm => self
                .matches(text, query.language)
                .iter()
                .take(query.limit)
                .map(|found| self.suggestion(text, found))
                .collect(),
            CodeSystem::Dcsph => self.dcsph.suggest(text),
        };
        suggestions.truncate(query.limit);
        Ok(suggestions)
    }

    /// A code of DCSPH: location and pathology.
    #[must_use]
    pub fn dcsph(&self, code: &str) -> Option<Code> {
        self.dcsph.find(code)
    }

    /// Codes as they are typed: those that begin with the characters, or else those whose terms hold the words.
    #[must_use]
    pub fn search(&self, typed: &str, limit: usize) -> Vec<Code> {
        let limit = limit.min(MAX_LIMIT);
        let by_code = self.catalogue.starting_with(typed, limit);
        if !by_code.is_empty() || typed.len() > SEARCH_BYTES_MAX {
            return by_code;
        }
        let matches = self.matches(typed, None);
        matches
            .into_iter()
            .take(limit)
            .map(|found| found.code)
            .collect()
    }

    /// What each suggestion's rank is made of: the names and values of its features.
    pub fn explain(&self, text: &str, query: &Query) -> Result<Vec<Explained>, Error> {
        let suggestions = self.suggest(text, query)?;
        let explained = suggestions
            .into_iter()
            .zip(self.matches(text, query.language));
        Ok(explained
            .map(|(suggestion, found)| Explained {
                suggestion,
                score: found.score,
                features: found.features,
            })
            .collect())
    }

    /// What counts and weights of notes are made from (`scripts/catalogue/fit_notes.py`). The text is read as a note,
    /// however short.
    #[must_use]
    pub fn note_evidence(&self, text: &str) -> NoteEvidence {
        let sentences = self.sentences(text, None);
        NoteEvidence {
            sentences: sentences
                .iter()
                .map(|(tokens, scopes)| present_stems(tokens, scopes))
                .collect(),
            named: self.matcher.named(&self.catalogue, &sentences),
        }
    }

    fn sentences(&self, text: &str, language: Option<Language>) -> Vec<(Vec<Token>, Vec<Scope>)> {
        let words = words(text);
        let language = language.unwrap_or_else(|| self.language(&words));
        sentences(&words)
            .into_iter()
            .map(|sentence| (self.tokens(sentence, language), scopes(sentence)))
            .collect()
    }

    fn matches(&self, text: &str, language: Option<Language>) -> Vec<Match> {
        let sentences = self.sentences(text, language);
        match sentences.as_slice() {
            [] => Vec::new(),
            [(tokens, scopes)] if tokens.len() <= PHRASE_TOKENS_MAX => {
                self.matcher.phrase(&self.catalogue, tokens, scopes)
            }
            sentences => self.matcher.note(&self.catalogue, sentences),
        }
    }

    fn language(&self, words: &[Word]) -> Language {
        let told = &words[..words.len().min(LANGUAGE_WORDS_MAX)];
        if self
            .dutch
            .is_dutch(told, |word| self.is_english(&stem(word)))
        {
            Language::Dutch
        } else {
            Language::English
        }
    }

    fn tokens(&self, sentence: &[Word], language: Language) -> Vec<Token> {
        match language {
            Language::English => self.analyzer.text(sentence),
            Language::Dutch => self
                .analyzer
                .dutch_text(&self.dutch, sentence, |stem| self.is_english(stem)),
        }
    }

    fn is_english(&self, stem: &str) -> bool {
        self.catalogue.terms.stem_id(stem).is_some()
    }

    fn suggestion(&self, text: &str, found: &Match) -> Suggestion {
        let term = self.catalogue.terms.text(found.term);
        Suggestion {
            system: CodeSystem::Icd10Cm,
            code: found.code.code.clone(),
            title: found.code.title.clone(),
            probability: f64::from(found.probability),
            billable: found.code.billable,
            evidence: found
                .ranges
                .iter()
                .take(EVIDENCE_MAX)
                .map(|(start, end)| Evidence {
                    start: *start,
                    end: *end,
                    text: text.chars().skip(*start).take(end - start).collect(),
                    term: term.to_owned(),
                })
                .collect(),
        }
    }
}

fn present_stems(tokens: &[Token], scopes: &[Scope]) -> Vec<String> {
    tokens
        .iter()
        .filter(|token| is_present(scopes, token.start, token.end))
        .map(|token| token.stem.clone())
        .collect()
}

/// Control characters, and what stands for bytes that are no UTF-8, are more than one in ten.
fn is_binary(text: &str) -> bool {
    let (mut all, mut strange) = (0_usize, 0_usize);
    for character in text.chars() {
        all += 1;
        let is_control = character.is_control() && !character.is_whitespace();
        strange += usize::from(is_control || character == char::REPLACEMENT_CHARACTER);
    }
    all >= BINARY_CHARS_MIN && strange * 10 > all
}
