//! The engine: text and query in, suggestions out.

use std::{collections::HashSet, path::Path};

use hysio_model::diagnosis::{CodeSystem, Evidence, Suggestion};

use super::{
    Catalogue,
    catalogue::{self, Code},
    coherence::{self, Relations},
    dcsph::Dcsph,
    edits::{self, Patient},
    matcher::{Match, Matcher},
    retired::{self, Retired},
    search,
    shown::{Row, Shown},
    text::{
        Analyzer, Dutch, Scope, Token, Translated, Word, is_present, scopes, sentences, stem, words,
    },
};

/// Names this ranking in answers and metrics; raised when suggestions change.
pub const MODEL_VERSION: &str = "phrase-cover-3";

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

/// What is left of the probability of a code that does not suit the patient.
const UNSUITABLE: f64 = 0.1;

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
    /// Codes that don't suit the patient are marked and fall far down.
    pub patient: Patient,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            system: CodeSystem::Icd10Cm,
            language: None,
            limit: 10,
            patient: Patient::default(),
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
    relations: Relations,
}

impl Engine {
    pub fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self::new(catalogue::file::read(path)?))
    }

    #[must_use]
    pub fn new(catalogue: Catalogue) -> Self {
        Self {
            matcher: Matcher::new(&catalogue),
            relations: Relations::new(&catalogue),
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
        check(text, query)?;
        let mut suggestions = match query.system {
            CodeSystem::Icd10Cm => {
                let positions = Positions::new(text);
                let matches = self.matches(text, query.language);
                let mut suggestions: Vec<Suggestion> = matches
                    .iter()
                    .take(MAX_LIMIT)
                    .map(|found| self.suggestion(text, &positions, found))
                    .collect();
                self.suit(&mut suggestions, &query.patient);
                self.relations.apply(&self.catalogue, &mut suggestions);
                suggestions
            }
            CodeSystem::Dcsph => self.dcsph.suggest(text),
        };
        suggestions.truncate(query.limit);
        Ok(suggestions)
    }

    /// All that is known about a code, retired ones too.
    #[must_use]
    pub fn show(&self, system: CodeSystem, code: &str) -> Option<Shown> {
        match system {
            CodeSystem::Icd10Cm => match self.catalogue.find(code) {
                Some(found) => Some(Shown::of(&self.catalogue, found)),
                None => retired::find(code).map(Shown::gone),
            },
            CodeSystem::Dcsph => self.dcsph.find(code).map(Shown::plain),
        }
    }

    /// The code, if the catalogue has it today; else the retired one.
    pub fn find(&self, system: CodeSystem, code: &str) -> Result<Option<Code>, &'static Retired> {
        match system {
            CodeSystem::Icd10Cm => match (self.catalogue.find(code), retired::find(code)) {
                (None, Some(retired)) => Err(retired),
                (found, _) => Ok(found),
            },
            CodeSystem::Dcsph => Ok(self.dcsph.find(code)),
        }
    }

    /// Codes as they are typed: those that begin with the characters, or else those whose terms hold the words.
    #[must_use]
    pub fn search(&self, system: CodeSystem, typed: &str, limit: usize) -> Vec<Row> {
        let limit = limit.min(MAX_LIMIT);
        if typed.len() > search::TYPED_BYTES_MAX {
            return Vec::new();
        }
        if system == CodeSystem::Dcsph {
            let found = self.dcsph.search(typed, limit);
            return found.into_iter().map(Row::from).collect();
        }
        let by_code = search::by_code(&self.catalogue, typed, limit);
        if !by_code.is_empty() {
            return by_code;
        }
        let by_beginnings = search::by_words(&self.catalogue, typed, limit);
        let is_whole = search::is_whole(&self.catalogue, typed);
        // The matcher knows best what whole words mean; what is still being typed it would take for a misspelling.
        let matched = if is_whole || by_beginnings.len() < limit {
            self.matches(typed, None)
        } else {
            Vec::new()
        };
        let matched = matched.into_iter().map(|found| found.code).take(limit);
        let (first, second): (Vec<Code>, Vec<Code>) = if is_whole {
            (matched.collect(), by_beginnings)
        } else {
            (by_beginnings, matched.collect())
        };
        let mut seen = HashSet::new();
        first
            .into_iter()
            .chain(second)
            .filter(|code| seen.insert(code.code.clone()))
            .take(limit)
            .map(Row::from)
            .collect()
    }

    /// What each suggestion's rank is made of: the names and values of its features. As the matcher ranks them, before
    /// the rules of the catalogue and the patient.
    pub fn explain(&self, text: &str, query: &Query) -> Result<Vec<Explained>, Error> {
        check(text, query)?;
        if query.system != CodeSystem::Icd10Cm {
            return Ok(Vec::new());
        }
        let positions = Positions::new(text);
        let matches = self.matches(text, query.language);
        let explained = matches.into_iter().take(query.limit);
        Ok(explained
            .map(|found| Explained {
                suggestion: self.suggestion(text, &positions, &found),
                score: found.score,
                features: found.features,
            })
            .collect())
    }

    /// Marks what does not suit the patient, and moves it far down.
    fn suit(&self, suggestions: &mut [Suggestion], patient: &Patient) {
        for suggestion in &mut *suggestions {
            let Some(found) = self.catalogue.find(&suggestion.code) else {
                continue;
            };
            let entry = self.catalogue.entry(found.entry);
            let cautions = edits::cautions(&found.code, entry.chapter, &entry.title, patient);
            if !cautions.is_empty() {
                suggestion.probability *= UNSUITABLE;
                suggestion.cautions.extend(cautions);
            }
        }
        coherence::sort(suggestions);
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
        let mut translated = Translated::default();
        sentences(&words)
            .into_iter()
            .map(|sentence| {
                let tokens = self.tokens(sentence, language, &mut translated);
                (tokens, scopes(sentence))
            })
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

    fn tokens(
        &self,
        sentence: &[Word],
        language: Language,
        translated: &mut Translated,
    ) -> Vec<Token> {
        match language {
            Language::English => self.analyzer.text(sentence),
            Language::Dutch => {
                self.analyzer
                    .dutch_text(&self.dutch, sentence, translated, |stem| {
                        self.is_english(stem)
                    })
            }
        }
    }

    fn is_english(&self, stem: &str) -> bool {
        self.catalogue.terms.stem_id(stem).is_some()
    }

    fn suggestion(&self, text: &str, positions: &Positions, found: &Match) -> Suggestion {
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
                    text: positions.cut(text, *start, *end).to_owned(),
                    term: term.to_owned(),
                })
                .collect(),
            ..Suggestion::default()
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

fn check(text: &str, query: &Query) -> Result<(), Error> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(Error::TooLong { bytes: text.len() });
    }
    if is_binary(text) {
        return Err(Error::NotText);
    }
    if query.limit == 0 || query.limit > MAX_LIMIT {
        return Err(Error::Limit { limit: query.limit });
    }
    Ok(())
}

/// Where each code point of a text begins, so that a range is cut without counting from the start each time.
struct Positions {
    /// Bytes; empty for ASCII, where both counts are the same.
    starts: Vec<usize>,
}

impl Positions {
    fn new(text: &str) -> Self {
        let starts = if text.is_ascii() {
            Vec::new()
        } else {
            text.char_indices()
                .map(|(at, _)| at)
                .chain([text.len()])
                .collect()
        };
        Self { starts }
    }

    fn cut<'a>(&self, text: &'a str, start: usize, end: usize) -> &'a str {
        let byte = |point: usize| match self.starts.as_slice() {
            [] => point,
            starts => starts.get(point).copied().unwrap_or(text.len()),
        };
        text.get(byte(start)..byte(end)).unwrap_or_default()
    }
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
