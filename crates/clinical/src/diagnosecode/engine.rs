//! The engine: text and query in, suggestions out.

use std::path::Path;

use hysio_model::diagnosis::{CodeSystem, Evidence, Suggestion};

use super::{
    Catalogue, catalogue,
    matcher::{Match, Matcher, resolve},
    text::{Analyzer, Token, words},
};

/// Names this ranking in answers and metrics; raised when suggestions change.
pub const MODEL_VERSION: &str = "phrase-cover-1";

/// A longer text is refused. A dictated hour has about 60 kB.
pub const MAX_TEXT_BYTES: usize = 1 << 20;

/// More suggestions help nobody to choose.
pub const MAX_LIMIT: usize = 100;

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
        let words = words(text);
        let tokens = self.analyzer.text(&words);
        let matches = self.matcher.phrase(&self.catalogue, &tokens);
        let mut suggestions: Vec<Suggestion> = Vec::new();
        for found in &matches {
            if suggestions.len() == query.limit {
                break;
            }
            let suggestion = self.suggestion(text, &tokens, found);
            if suggestions
                .iter()
                .all(|known| known.code != suggestion.code)
            {
                suggestions.push(suggestion);
            }
        }
        Ok(suggestions)
    }

    fn suggestion(&self, text: &str, tokens: &[Token], found: &Match) -> Suggestion {
        let code = resolve(&self.catalogue, &self.analyzer, found.entry, tokens);
        let term = self.catalogue.terms.text(found.term);
        Suggestion {
            system: CodeSystem::Icd10Cm,
            code: code.code,
            title: code.title,
            probability: f64::from(1.0 / (1.0 + (8.0 - found.score).exp())),
            billable: code.billable,
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
