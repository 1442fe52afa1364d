//! How often a code is given at all: the shipped counts of coded clinical cases.

use std::collections::HashMap;

/// Texts that the counts were made from.
const TEXTS: f32 = 500.0;
/// What a code that was never seen counts as.
const UNSEEN: f32 = 0.2;

#[derive(Debug)]
pub(super) struct Priors {
    codes: HashMap<String, f32>,
    categories: HashMap<String, f32>,
}

impl Priors {
    pub(super) fn shipped() -> Self {
        let mut priors = Self {
            codes: HashMap::new(),
            categories: HashMap::new(),
        };
        for line in include_str!("../../../data/code_priors.tsv").lines() {
            if let Some((code, count)) = line.split_once('\t')
                && let Ok(count) = count.parse::<f32>()
            {
                priors.codes.insert(code.to_owned(), count);
                *priors
                    .categories
                    .entry(category(code).to_owned())
                    .or_default() += count;
            }
        }
        priors
    }

    /// Log of the share of texts that have the code. A longer code has its own count, or that of a code above it.
    pub(super) fn of(&self, code: &str) -> f32 {
        let mut known = None;
        for end in (4..=code.len()).rev() {
            known = known.or_else(|| self.codes.get(&code[..end]));
        }
        log_share(known.copied())
    }

    pub(super) fn of_category(&self, code: &str) -> f32 {
        log_share(self.categories.get(category(code)).copied())
    }
}

fn category(code: &str) -> &str {
    code.get(..3).unwrap_or(code)
}

fn log_share(count: Option<f32>) -> f32 {
    (count.unwrap_or(UNSEEN) / TEXTS).ln()
}
