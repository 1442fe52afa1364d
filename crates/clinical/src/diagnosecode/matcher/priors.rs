//! How often a code is given at all, and how often it is right where its term stands: shipped counts of coded cases.

use std::collections::HashMap;

/// Texts that the counts were made from.
const TEXTS: f32 = 500.0;
/// Texts that a code has beyond those counted, so that one never seen is not impossible.
const UNSEEN: f32 = 0.1;
/// The share of named codes that are right, and of how many sightings that is worth: the start for a code of few.
const RIGHT_SHARE: f32 = 0.13;
const RIGHT_CATEGORY_SHARE: f32 = 0.2;
const RIGHT_WORTH: f32 = 3.0;
/// What a code takes of how often its category is right.
const CATEGORY_SHARE_MAX: f32 = 0.5;
const CATEGORY_TO_CODE: f32 = 0.6;

/// Counts by code without dot and seventh character; of a category, by its three characters and `*`.
#[derive(Debug)]
pub(super) struct Priors {
    counts: HashMap<&'static str, Counts>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    given: f32,
    named: f32,
    right: f32,
}

impl Priors {
    pub(super) fn shipped() -> Self {
        let mut counts = HashMap::new();
        for line in include_str!("../../../data/code_priors.tsv").lines() {
            if let [code, given, named, right] = line.split('\t').collect::<Vec<_>>()[..] {
                let number = |text: &str| text.parse::<f32>().unwrap_or(0.0);
                counts.insert(
                    code,
                    Counts {
                        given: number(given),
                        named: number(named),
                        right: number(right),
                    },
                );
            }
        }
        Self { counts }
    }

    /// The share of texts that have the code or, with `*`, the category.
    pub(super) fn share(&self, key: &str) -> f32 {
        (self.of(key).given + UNSEEN) / TEXTS
    }

    /// Log-odds that a code is right where it was named: of the code alone, of its category, and of the code where the
    /// category is what is known of it before.
    pub(super) fn reliability(&self, key: &str) -> [f32; 3] {
        let category = self.right(&starred(key), RIGHT_CATEGORY_SHARE);
        let start = category.min(CATEGORY_SHARE_MAX) * CATEGORY_TO_CODE;
        [
            self.right(key, RIGHT_SHARE),
            category,
            self.right(key, start),
        ]
        .map(log_odds)
    }

    fn right(&self, key: &str, start: f32) -> f32 {
        let counts = self.of(key);
        (counts.right + RIGHT_WORTH * start) / (counts.named + RIGHT_WORTH)
    }

    fn of(&self, key: &str) -> Counts {
        self.counts.get(key).copied().unwrap_or_default()
    }
}

/// A code as it is counted: without dot and seventh character.
pub(super) fn key(code: &str) -> String {
    let mut bare: String = code.chars().filter(|c| *c != '.').collect();
    if bare.len() == 7 {
        bare.pop();
        bare.truncate(bare.trim_end_matches('X').len());
    }
    bare
}

pub(super) fn category(code: &str) -> &str {
    code.get(..3).unwrap_or(code)
}

/// The key of a code's category.
pub(super) fn starred(key: &str) -> String {
    format!("{}*", category(key))
}

pub(super) fn log_odds(share: f32) -> f32 {
    (share / (1.0 - share)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_counted_without_dot_and_seventh_character() {
        for (code, counted) in [("I10", "I10"), ("E11.40", "E1140"), ("S93.402A", "S93402")] {
            assert_eq!(key(code), counted);
        }
        assert_eq!(key("T78.2XXA"), "T782");
    }

    #[test]
    fn what_was_often_right_is_trusted_more() {
        let priors = Priors::shipped();
        let [hypertension, category, _] = priors.reliability("I10");
        let [unseen, ..] = priors.reliability("ZZZ");
        assert!(hypertension > 0.0 && category > 0.0 && unseen < 0.0);
    }
}
