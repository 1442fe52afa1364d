//! What a term and a text have in common, as numbers, and the score made of them.

use super::{Matcher, query::Query, spelling};
use crate::diagnosecode::{
    Catalogue,
    catalogue::{EntryId, TermKind},
};

/// Number of features.
pub(crate) const FEATURES: usize = 23;

pub(crate) type Features = [f32; FEATURES];

/// Names, for the table that the weights are fitted from.
pub(crate) const NAMES: [&str; FEATURES] = [
    "bias",
    "query_cover",
    "term_cover",
    "cover_product",
    "all_covered",
    "trigrams",
    "is_inclusion",
    "is_includes",
    "is_index",
    "other_unmatched",
    "unspecified",
    "is_leaf",
    "ends_in_8",
    "ends_in_9",
    "query_missed_most",
    "term_missed_most",
    "lineage_cover",
    "first_matched",
    "log_terms",
    "chapter_birth",
    "chapter_injury",
    "chapter_external",
    "chapter_status",
];

/// Fitted by `scripts/catalogue/fit_ranker.py` on the development phrases, with and without the alphabetical index.
const COEFFICIENTS: Features = [
    -7.211, 2.927, 2.837, 2.943, 0.271, 4.031, -0.539, -1.026, -1.836, -0.866, -0.999, 0.407,
    -0.195, -0.191, -2.065, 0.367, 7.791, -0.089, 0.308, -1.141, -2.313, -1.264, -2.146,
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
        let mut seen = Coverage::default();
        for token in terms.tokens(term) {
            let weight = self.weights.stem(token.stem);
            match query.meant.get(&token.stem) {
                Some(meant) => {
                    best[meant.token] = best[meant.token].max(meant.similarity);
                    seen.hold(weight, meant.similarity, token.optional);
                }
                None => seen.miss(weight, &terms.stems()[token.stem as usize], token.optional),
            }
        }
        let query_cover = query.covered_by(&best);
        let whole = self.weights.term(term);
        let term_cover = seen.covered / whole;
        let kind = terms.kind(term);
        let entry_id = terms.entry(term);
        let entry = catalogue.entry(entry_id);
        let is = |wanted: bool| f32::from(u8::from(wanted));
        let features = [
            1.0,
            query_cover,
            term_cover,
            query_cover * term_cover,
            is(query_cover > ALL && term_cover > ALL),
            dice(query_trigrams, &term_trigrams(catalogue, term)),
            is(matches!(kind, TermKind::Inclusion | TermKind::Own)),
            is(kind == TermKind::Includes),
            is(kind == TermKind::Index),
            is(seen.other_missed),
            is(seen.unspecified_missed),
            is(entry.is_leaf()),
            is(entry.code.ends_with('8')),
            is(entry.code.ends_with('9')),
            query.missed_most(&best),
            seen.missed_most / whole,
            self.lineage_cover(catalogue, query, &best, entry_id) - query_cover,
            is(seen.first_held == Some(true)),
            self.term_counts[entry_id as usize],
            is(matches!(entry.chapter, 15 | 16)),
            is(entry.chapter == 19),
            is(entry.chapter == 20),
            is(entry.chapter == 21),
        ];
        let matched = (0..best.len()).filter(|at| best[*at] > 0.0).collect();
        (features, matched)
    }

    /// What the term and the titles of the entries above it cover of the query.
    fn lineage_cover(
        &self,
        catalogue: &Catalogue,
        query: &Query,
        best: &[f32],
        entry: EntryId,
    ) -> f32 {
        let mut best = best.to_vec();
        let mut above = Some(entry);
        while let Some(id) = above {
            let tokens = self.titles[id as usize]
                .into_iter()
                .flat_map(|title| catalogue.terms.tokens(title));
            for token in tokens {
                if let Some(meant) = query.meant.get(&token.stem) {
                    best[meant.token] = best[meant.token].max(meant.similarity);
                }
            }
            above = catalogue.entry(id).parent;
        }
        query.covered_by(&best)
    }
}

/// What a query holds of one term.
#[derive(Default)]
struct Coverage {
    covered: f32,
    missed_most: f32,
    other_missed: bool,
    unspecified_missed: bool,
    first_held: Option<bool>,
}

impl Coverage {
    fn hold(&mut self, weight: f32, similarity: f32, optional: bool) {
        if !optional {
            self.covered += weight * similarity;
            self.missed_most = self.missed_most.max(weight * (1.0 - similarity));
            self.first_held.get_or_insert(true);
        }
    }

    fn miss(&mut self, weight: f32, stem: &str, optional: bool) {
        self.other_missed |= matches!(stem, "other" | "specifi");
        self.unspecified_missed |= stem == "unspecifi";
        if !optional {
            self.missed_most = self.missed_most.max(weight);
            self.first_held.get_or_insert(false);
        }
    }
}

impl Query {
    /// The share of the query's weight that these similarities of its tokens cover.
    fn covered_by(&self, best: &[f32]) -> f32 {
        let covered: f32 = best
            .iter()
            .zip(&self.tokens)
            .map(|(similarity, token)| similarity * token.weight)
            .sum();
        covered / self.weight
    }

    /// The heaviest part that they leave out.
    fn missed_most(&self, best: &[f32]) -> f32 {
        let missed = best
            .iter()
            .zip(&self.tokens)
            .map(|(similarity, token)| (1.0 - similarity) * token.weight);
        missed.fold(0.0, f32::max) / self.weight
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
