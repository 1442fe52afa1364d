//! The engine: text and query in, suggestions out.

use std::path::Path;

use hysio_model::diagnosis::{CodeSystem, Evidence, Suggestion};

use super::{
    Catalogue, catalogue,
    matcher::{Match, Matcher, NOTE_FEATURES, PHRASE_FEATURES},
    text::{Analyzer, scopes, sentences, words},
};

/// Names this ranking in answers and metrics; raised when suggestions change.
pub const MODEL_VERSION: &str = "phrase-cover-1";

/// A longer text is refused. A dictated hour has about 60 kB.
pub const MAX_TEXT_BYTES: usize = 1 << 20;

/// More suggestions help nobody to choose.
pub const MAX_LIMIT: usize = 100;

/// A single sentence of at most this many tokens is one finding; anything longer is a note of several.
const PHRASE_TOKENS_MAX: usize = 14;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Catalogue(#[from] catalogue::Error),
    #[error("the text has {bytes} bytes; at most {MAX_TEXT_BYTES} are taken: send it in parts")]
    TooLong { bytes: usize },
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

/// A catalogue, opened and ready to match. Cheap to share; holds no text.
#[derive(Debug)]
pub struct Engine {
    catalogue: Catalogue,
    analyzer: Analyzer,
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
        if query.limit == 0 || query.limit > MAX_LIMIT {
            return Err(Error::Limit { limit: query.limit });
        }
        let matches = self.matches(text);
        Ok(matches
            .iter()
            .take(query.limit)
            .map(|found| self.suggestion(text, found))
            .collect())
    }

    /// What each suggestion's rank is made of: the names and values of its features.
    pub fn explain(&self, text: &str, query: &Query) -> Result<Vec<Explained>, Error> {
        let suggestions = self.suggest(text, query)?;
        let explained = suggestions.into_iter().zip(self.matches(text));
        Ok(explained
            .map(|(suggestion, found)| {
                let names: &[&str] = if found.features.len() == NOTE_FEATURES.len() {
                    &NOTE_FEATURES
                } else {
                    &PHRASE_FEATURES
                };
                Explained {
                    suggestion,
                    score: found.score,
                    features: names.iter().copied().zip(found.features).collect(),
                }
            })
            .collect())
    }

    fn matches(&self, text: &str) -> Vec<Match> {
        let words = words(text);
        let sentences: Vec<_> = sentences(&words)
            .into_iter()
            .map(|sentence| (self.analyzer.text(sentence), scopes(sentence)))
            .collect();
        match sentences.as_slice() {
            [] => Vec::new(),
            [(tokens, scopes)] if tokens.len() <= PHRASE_TOKENS_MAX => {
                self.matcher.phrase(&self.catalogue, tokens, scopes)
            }
            sentences => self.matcher.note(&self.catalogue, sentences),
        }
    }

    fn suggestion(&self, text: &str, found: &Match) -> Suggestion {
        let term = self.catalogue.terms.text(found.term);
        Suggestion {
            system: CodeSystem::Icd10Cm,
            code: found.code.code.clone(),
            title: found.code.title.clone(),
            probability: f64::from(1.0 / (1.0 + (-found.score).exp())),
            billable: found.code.billable,
            evidence: found
                .ranges
                .iter()
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
