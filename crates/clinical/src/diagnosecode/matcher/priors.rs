//! How often a code is given at all, and how often it is right where its term stands: shipped counts of coded cases.

use std::collections::HashMap;

/// Texts that the counts were made from.
const TEXTS: f32 = 500.0;
/// What a code that was never seen counts as.
const UNSEEN: f32 = 0.2;
/// The share of named codes that are right, and of how many sightings that is worth: the start for a code of few.
const RIGHT_SHARE: f32 = 0.13;
const RIGHT_WORTH: f32 = 3.0;

#[derive(Debug)]
pub(super) struct Priors {
    codes: HashMap<String, Counts>,
    categories: HashMap<String, f32>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    given: f32,
    named: f32,
    right: f32,
}

impl Priors {
    pub(super) fn shipped() -> Self {
        let mut priors = Self {
            codes: HashMap::new(),
            categories: HashMap::new(),
        };
        for line in include_str!("../../../data/code_priors.tsv").lines() {
            if let [code, given, named, right] = line.split('\t').collect::<Vec<_>>()[..] {
                let number = |text: &str| text.parse::<f32>().unwrap_or(0.0);
                let counts = Counts {
                    given: number(given),
                    named: number(named),
                    right: number(right),
                };
                *priors
                    .categories
                    .entry(category(code).to_owned())
                    .or_default() += counts.given;
                priors.codes.insert(code.to_owned(), counts);
            }
        }
        priors
    }

    /// Log of the share of texts that have the code. A longer code has its own count, or that of a code above it.
    pub(super) fn of(&self, code: &str) -> f32 {
        let given = (4..=code.len())
            .rev()
            .filter_map(|end| self.codes.get(&code[..end]))
            .map(|counts| counts.given)
            .find(|given| *given > 0.0);
        log_share(given)
    }

    pub(super) fn of_category(&self, code: &str) -> f32 {
        log_share(self.categories.get(category(code)).copied())
    }

    /// Log-odds that the code is right where it was named.
    pub(super) fn reliability(&self, code: &str) -> f32 {
        let counts = self.codes.get(code).copied().unwrap_or_default();
        let share = (counts.right + RIGHT_WORTH * RIGHT_SHARE) / (counts.named + RIGHT_WORTH);
        (share / (1.0 - share)).ln()
    }
}

fn category(code: &str) -> &str {
    code.get(..3).unwrap_or(code)
}

fn log_share(count: Option<f32>) -> f32 {
    (count.filter(|count| *count > 0.0).unwrap_or(UNSEEN) / TEXTS).ln()
}
