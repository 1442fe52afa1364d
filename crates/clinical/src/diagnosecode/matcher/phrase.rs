//! A short text as one query: the terms most like the whole of it.

use std::collections::{HashMap, HashSet};

use super::{
    Match, Matcher,
    features::{Features, NAMES, query_trigrams, score},
    mention::lasts,
    query::Query,
    rank,
    spelling::LookedUp,
};
use crate::diagnosecode::{
    Catalogue,
    catalogue::EntryId,
    text::{Assertion, Scope, Token, asserted},
};

/// Log-odds from which a phrase is taken to be meant as the term says it.
const CONFIDENT: f32 = 0.0;
/// Log-odds of a suggestion's share, ascending, with the log-odds that it is right; fitted with the weights of the features
/// (`scripts/catalogue/fit_ranker.py`). Even what nothing else comes near is wrong at times.
const CALIBRATION: [(f32, f32); 11] = [
    (-8.0, -5.092),
    (-6.0, -3.409),
    (-4.0, -1.662),
    (-3.0, -0.866),
    (-2.0, -0.291),
    (-1.0, 0.177),
    (0.0, 1.032),
    (1.0, 1.762),
    (2.0, 2.023),
    (3.5, 2.102),
    (6.0, 2.265),
];
/// Keeps the log-odds finite.
const SHARE_MIN: f32 = 1e-6;
/// Candidates of the inverted index whose features are computed.
const CANDIDATES_MAX: usize = 300;

impl Matcher {
    /// The codes that a phrase may mean, best first, each once. What it denies or ascribes to someone else is left out,
    /// unless the classification itself speaks so: "migraine without aura", "family history of glaucoma".
    pub(crate) fn phrase(
        &self,
        catalogue: &Catalogue,
        tokens: &[Token],
        scopes: &[Scope],
    ) -> Vec<Match> {
        let all = self.whole(catalogue, tokens);
        if scopes.is_empty()
            || all
                .first()
                .is_some_and(|best| self.says_without(catalogue, best))
        {
            return all;
        }
        let said: Vec<Token> = tokens
            .iter()
            .filter(|token| {
                !asserted(scopes, token.start, token.end).is_some_and(Assertion::is_absent)
            })
            .cloned()
            .collect();
        let old = scopes
            .iter()
            .any(|scope| scope.assertion == Assertion::History);
        let family = scopes
            .iter()
            .any(|scope| scope.assertion == Assertion::Family);
        let mut matches = self.whole(catalogue, &said);
        matches.retain(|found| {
            let status = found.code.code.starts_with('Z');
            status || (!family && (!old || lasts(&found.code.code)))
        });
        matches
    }

    fn says_without(&self, catalogue: &Catalogue, found: &Match) -> bool {
        let stems = catalogue.terms.stems();
        found.score > CONFIDENT
            && catalogue.terms.tokens(found.term).any(|token| {
                matches!(
                    stems[token.stem as usize].as_str(),
                    "without" | "not" | "no"
                )
            })
    }

    fn whole(&self, catalogue: &Catalogue, tokens: &[Token]) -> Vec<Match> {
        let query = self.query(catalogue, tokens, true, &mut LookedUp::default());
        let trigrams = query_trigrams(&query);
        let said: HashSet<&str> = tokens.iter().map(|token| token.stem.as_str()).collect();
        let mut best: HashMap<EntryId, (f32, u32, Features, Vec<usize>)> = HashMap::new();
        for term in self.candidates(catalogue, &query) {
            let (features, matched) = self.features(catalogue, &query, &trigrams, term);
            let score = score(&features);
            let entry = catalogue.terms.entry(term);
            if best.get(&entry).is_none_or(|known| known.0 < score) {
                best.insert(entry, (score, term, features, matched));
            }
        }
        let mut codes: HashMap<String, Match> = HashMap::new();
        for (entry, (score, term, features, matched)) in best {
            let code = self.resolve(catalogue, entry, &said);
            let found = Match {
                score,
                term,
                ranges: ranges(&query, &matched),
                probability: 0.0,
                features: NAMES.into_iter().zip(features).collect(),
                code,
            };
            match codes.get(&found.code.code) {
                Some(known) if (known.score, found.term) >= (found.score, known.term) => {}
                Some(_) | None => {
                    codes.insert(found.code.code.clone(), found);
                }
            }
        }
        let mut matches: Vec<Match> = codes.into_values().collect();
        rank(&mut matches);
        share_out(&mut matches);
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

/// A phrase names one finding, or none that is known: a softmax over the candidates and nothing, whose score is zero.
/// Several codes of a finding may be right, so the shares are then brought to how often suggestions were right.
fn share_out(matches: &mut [Match]) {
    let highest = matches.iter().map(|found| found.score).fold(0.0, f32::max);
    let whole: f32 = matches
        .iter()
        .map(|found| (found.score - highest).exp())
        .sum::<f32>()
        + (-highest).exp();
    for found in matches {
        let share = ((found.score - highest).exp() / whole).clamp(SHARE_MIN, 1.0 - SHARE_MIN);
        let log_odds = calibrated((share / (1.0 - share)).ln());
        found.probability = 1.0 / (1.0 + (-log_odds).exp());
    }
}

/// Straight between the knots, level beyond them.
fn calibrated(log_odds: f32) -> f32 {
    let next = CALIBRATION.partition_point(|(knot, _)| *knot < log_odds);
    match (
        next.checked_sub(1).map(|at| CALIBRATION[at]),
        CALIBRATION.get(next),
    ) {
        (None, Some((_, lowest))) => *lowest,
        (Some((_, highest)), None) => highest,
        (Some((from, low)), Some((to, high))) => {
            low + (high - low) * (log_odds - from) / (to - from)
        }
        (None, None) => log_odds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_rise_with_the_share() {
        let mut last = f32::MIN;
        for step in -200_i16..200 {
            let now = calibrated(f32::from(step) / 20.0);
            assert!(now >= last, "{step}");
            last = now;
        }
        assert!((calibrated(-1.0) - 0.177).abs() < 1e-6);
    }
}
