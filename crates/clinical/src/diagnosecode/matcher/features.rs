//! What a term and a text have in common, as numbers, and the score made of them.

use super::{Matcher, query::Query, spelling};
use crate::diagnosecode::{Catalogue, catalogue::TermKind};

/// Number of features.
pub(crate) const FEATURES: usize = 18;

pub(crate) type Features = [f32; FEATURES];

/// Names, for the table that the weights are fitted from.
pub(crate) const NAMES: [&str; FEATURES] = [
    "query_cover",
    "term_cover",
    "cover_product",
    "all_covered",
    "trigrams",
    "is_title",
    "is_inclusion",
    "is_includes",
    "is_index",
    "other_unmatched",
    "unspecified",
    "is_leaf",
    "depth",
    "chapter_pregnancy",
    "chapter_perinatal",
    "chapter_injury",
    "chapter_external",
    "chapter_status",
];

/// Fitted by `scripts/catalogue/fit_ranker.py` on half of the development phrases.
const COEFFICIENTS: Features = [
    3.0, 3.0, 4.0, 1.0, 3.0, 0.2, 0.2, 0.0, 0.2, -0.5, 0.2, 0.0, 0.0, -0.5, -0.5, -0.3, -1.5, -0.8,
];

/// Share of cover from which all counts as covered.
const ALL: f32 = 0.999;

pub(super) fn score(features: &Features) -> f32 {
    features
        .iter()
        .zip(&COEFFICIENTS)
        .map(|(value, weight)| value * weight)
        .sum()
}

impl Matcher {
    /// The features of a term, and which tokens of the query it matches.
    pub(super) fn features(
        &self,
        catalogue: &Catalogue,
        query: &Query,
        query_trigrams: &[[char; 3]],
        term: u32,
    ) -> (Features, Vec<usize>) {
        let terms = &catalogue.terms;
        let mut best = vec![0.0_f32; query.tokens.len()];
        let mut covered = 0.0;
        let mut other_unmatched = 0.0;
        let mut unspecified = 0.0;
        for token in terms.tokens(term) {
            let weight = self.weights.stem(token.stem);
            if let Some(meant) = query.meant.get(&token.stem) {
                best[meant.token] = best[meant.token].max(meant.similarity);
                if !token.optional {
                    covered += weight * meant.similarity;
                }
            } else {
                match terms.stems()[token.stem as usize].as_str() {
                    "other" | "specifi" => other_unmatched = 1.0,
                    "unspecifi" => unspecified = 1.0,
                    _ => {}
                }
            }
        }
        let query_cover = best
            .iter()
            .zip(&query.tokens)
            .map(|(similarity, token)| similarity * token.weight)
            .sum::<f32>()
            / query.weight;
        let term_cover = covered / self.weights.term(term);
        let kind = terms.kind(term);
        let entry_id = terms.entry(term);
        let entry = catalogue.entry(entry_id);
        let is = |wanted: bool| f32::from(u8::from(wanted));
        let features = [
            query_cover,
            term_cover,
            query_cover * term_cover,
            is(query_cover > ALL && term_cover > ALL),
            dice(query_trigrams, &term_trigrams(catalogue, term)),
            is(kind == TermKind::Title),
            is(kind == TermKind::Inclusion),
            is(kind == TermKind::Includes),
            is(kind == TermKind::Index),
            other_unmatched,
            unspecified,
            is(entry.is_leaf()),
            f32::from(u8::try_from(entry.code.len()).unwrap_or(u8::MAX)) / 8.0,
            is(entry.chapter == 15),
            is(entry.chapter == 16),
            is(entry.chapter == 19),
            is(entry.chapter == 20),
            is(entry.chapter == 21),
        ];
        let matched = (0..best.len()).filter(|at| best[*at] > 0.0).collect();
        (features, matched)
    }
}

/// The trigrams of all stems of a query, sorted.
pub(super) fn query_trigrams(query: &Query) -> Vec<[char; 3]> {
    merged(query.tokens.iter().map(|token| token.stem.as_str()))
}

fn term_trigrams(catalogue: &Catalogue, term: u32) -> Vec<[char; 3]> {
    let stems = catalogue.terms.stems();
    merged(
        catalogue
            .terms
            .tokens(term)
            .filter(|token| !token.optional)
            .map(|token| stems[token.stem as usize].as_str()),
    )
}

fn merged<'a>(stems: impl Iterator<Item = &'a str>) -> Vec<[char; 3]> {
    let mut trigrams: Vec<_> = stems.flat_map(spelling::split).collect();
    trigrams.sort_unstable();
    trigrams
}

/// Dice coefficient of two sorted bags.
fn dice(a: &[[char; 3]], b: &[[char; 3]]) -> f32 {
    let (mut i, mut j, mut shared) = (0, 0, 0_u16);
    while i < a.len() && j < b.len() {
        match a[i].cmp(&b[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                shared = shared.saturating_add(1);
                i += 1;
                j += 1;
            }
        }
    }
    let total = f32::from(u16::try_from(a.len() + b.len()).unwrap_or(u16::MAX)).max(1.0);
    2.0 * f32::from(shared) / total
}
