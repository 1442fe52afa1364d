//! A short text as one query: the terms most like the whole of it.

use std::collections::HashMap;

use super::{
    Match, Matcher,
    features::{query_trigrams, score},
    query::Query,
};
use crate::diagnosecode::{Catalogue, catalogue::EntryId, text::Token};

/// Candidates of the inverted index whose features are computed.
const CANDIDATES_MAX: usize = 300;

impl Matcher {
    /// The entries that a phrase may mean, best first, each once.
    pub(crate) fn phrase(&self, catalogue: &Catalogue, tokens: &[Token]) -> Vec<Match> {
        let query = self.query(catalogue, tokens, true);
        let trigrams = query_trigrams(&query);
        let mut best: HashMap<EntryId, Match> = HashMap::new();
        for term in self.candidates(catalogue, &query) {
            let (features, matched) = self.features(catalogue, &query, &trigrams, term);
            let found = Match {
                entry: catalogue.terms.entry(term),
                score: score(&features),
                term,
                ranges: ranges(&query, &matched),
                features,
            };
            match best.get(&found.entry) {
                Some(known) if known.score >= found.score => {}
                Some(_) | None => {
                    best.insert(found.entry, found);
                }
            }
        }
        let mut matches: Vec<Match> = best.into_values().collect();
        matches.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.entry.cmp(&b.entry)));
        matches
    }

    /// The terms with the best balance of query and term covered.
    fn candidates(&self, catalogue: &Catalogue, query: &Query) -> Vec<u32> {
        let terms = &catalogue.terms;
        let mut covered = vec![0.0_f32; terms.len()];
        let mut touched = Vec::new();
        for (stem, meant) in &query.meant {
            let gain = self.weights.stem(*stem) * meant.similarity;
            for term in terms.postings(*stem) {
                let sum = &mut covered[*term as usize];
                if *sum == 0.0 {
                    touched.push(*term);
                }
                *sum += gain;
            }
        }
        let mut scored: Vec<(f32, u32)> = touched
            .into_iter()
            .map(|term| {
                let covered = covered[term as usize];
                let of_query = (covered / query.weight).min(1.0);
                let of_term = (covered / self.weights.term(term)).min(1.0);
                (of_query + of_term + 2.0 * of_query * of_term, term)
            })
            .collect();
        let by_score = |a: &(f32, u32), b: &(f32, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        if scored.len() > CANDIDATES_MAX {
            scored.select_nth_unstable_by(CANDIDATES_MAX, by_score);
            scored.truncate(CANDIDATES_MAX);
        }
        scored.sort_by(by_score);
        scored.into_iter().map(|(_, term)| term).collect()
    }
}

/// The places of the matched tokens, in order, each once.
fn ranges(query: &Query, matched: &[usize]) -> Vec<(usize, usize)> {
    let mut ranges: Vec<(usize, usize)> = matched
        .iter()
        .flat_map(|at| query.tokens[*at].ranges.iter().copied())
        .collect();
    ranges.sort_unstable();
    ranges.dedup();
    ranges
}
