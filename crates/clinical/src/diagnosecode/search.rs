//! Looking codes up as they are typed.
//!
//! A beginning of a code comes first. Words are found by their beginnings in the titles and terms, in any order; only where
//! that leaves too few, the matcher adds what is spelt otherwise or in Dutch.

use std::collections::HashSet;

use super::{
    Catalogue,
    catalogue::{Code, EntryId, TermKind},
    retired,
    shown::Row,
    text::{stem, words},
};

/// Nobody types more than this into a search.
pub(super) const TYPED_BYTES_MAX: usize = 200;
/// Stems that one beginning may stand for: `a` has thousands and says nothing.
const STEMS_MAX: usize = 2_000;
/// A shorter beginning of a word stands for itself alone.
const BEGINNING_CHARS_MIN: usize = 2;

/// Codes that begin so, or the successors of the retired code that was typed.
pub(super) fn by_code(catalogue: &Catalogue, typed: &str, limit: usize) -> Vec<Row> {
    let found = catalogue.starting_with(typed, limit);
    if !found.is_empty() {
        return found.into_iter().map(Row::from).collect();
    }
    if let Some(code) = catalogue.find(typed) {
        return vec![Row::from(code)];
    }
    let Some(retired) = retired::find(typed) else {
        return Vec::new();
    };
    retired
        .successors
        .iter()
        .filter_map(|code| catalogue.find(code))
        .take(limit)
        .map(|code| Row {
            replaces: Some(retired.code.clone()),
            ..Row::from(code)
        })
        .collect()
}

/// Entries with a term that holds every word, each by its beginning: those with the shortest term first, titles before other
/// terms.
pub(super) fn by_words(catalogue: &Catalogue, typed: &str, limit: usize) -> Vec<Code> {
    let mut held: Option<HashSet<u32>> = None;
    for word in words(typed) {
        let terms: HashSet<u32> = stems(catalogue, &word.text)
            .into_iter()
            .flat_map(|stem| catalogue.terms.postings(stem).iter().copied())
            .collect();
        held = Some(match held {
            None => terms,
            Some(held) => held.intersection(&terms).copied().collect(),
        });
    }
    let mut terms: Vec<(usize, bool, EntryId)> = held
        .unwrap_or_default()
        .into_iter()
        .map(|term| {
            let is_title = catalogue.terms.kind(term) == TermKind::Title;
            let needed = catalogue.terms.tokens(term).filter(|token| !token.optional);
            let length = needed.count();
            (length, !is_title, catalogue.terms.entry(term))
        })
        .collect();
    terms.sort_unstable();
    let mut seen = HashSet::new();
    terms
        .into_iter()
        .filter(|(_, _, entry)| seen.insert(*entry))
        .take(limit)
        .map(|(_, _, entry)| catalogue.code(entry, None))
        .collect()
}

/// Whether every word that was typed is one of the catalogue's.
pub(super) fn is_whole(catalogue: &Catalogue, typed: &str) -> bool {
    let words = words(typed);
    !words.is_empty()
        && words
            .iter()
            .all(|word| catalogue.terms.stem_id(&stem(&word.text)).is_some())
}

/// The stem of the word, and those that begin as it does.
fn stems(catalogue: &Catalogue, word: &str) -> Vec<u32> {
    let terms = &catalogue.terms;
    let mut found: Vec<u32> = terms.stem_id(&stem(word)).into_iter().collect();
    if word.chars().count() >= BEGINNING_CHARS_MIN {
        let first = terms.stems().partition_point(|known| known.as_str() < word);
        let beginning = terms.stems()[first..]
            .iter()
            .take(STEMS_MAX)
            .take_while(|known| known.starts_with(word))
            .count();
        let range = first..first + beginning;
        found.extend(range.filter_map(|at| u32::try_from(at).ok()));
    }
    found
}
