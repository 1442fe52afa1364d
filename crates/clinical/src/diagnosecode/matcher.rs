//! Finds the terms of the catalogue that a text names, and ranks the codes behind them.
//!
//! ```text
//! tokens ─▶ query (spellings, weights) ─▶ candidates (inverted index) ─▶ features ─▶ score ─▶ code (resolve)
//! ```

mod associations;
mod features;
mod mention;
mod note;
mod note_score;
mod phrase;
mod priors;
mod query;
mod resolve;
mod spelling;
mod trees;
mod weights;

use super::{
    Catalogue,
    catalogue::{Code, TermKind},
};
use associations::Associations;
use priors::Priors;
use spelling::Spelling;
use trees::Trees;
use weights::Weights;

/// What is derived from a catalogue once, when it is opened.
#[derive(Debug)]
pub(super) struct Matcher {
    weights: Weights,
    spelling: Spelling,
    priors: Priors,
    associations: Associations,
    note_trees: Trees,
    /// The term that is the title of each entry; none if its title has no word.
    titles: Vec<Option<u32>>,
    /// Log of the number of terms of each entry.
    term_counts: Vec<f32>,
}

/// A code that the text names.
#[derive(Debug, Clone)]
pub(super) struct Match {
    pub code: Code,
    /// Log-odds that it is right, for a note; of a phrase, against none being right.
    pub score: f32,
    pub probability: f32,
    /// The term that names it best.
    pub term: u32,
    /// Ranges of the text, in code points, ascending.
    pub ranges: Vec<(usize, usize)>,
    pub features: Vec<(&'static str, f32)>,
}

impl Matcher {
    pub(super) fn new(catalogue: &Catalogue) -> Self {
        let mut titles = vec![None; catalogue.entries.len()];
        let mut term_counts = vec![1.0_f32; catalogue.entries.len()];
        for term in (0..).take(catalogue.terms.len()) {
            term_counts[catalogue.terms.entry(term) as usize] += 1.0;
            if catalogue.terms.kind(term) == TermKind::Title {
                titles[catalogue.terms.entry(term) as usize] = Some(term);
            }
        }
        Self {
            weights: Weights::new(catalogue),
            spelling: Spelling::new(catalogue.terms.stems()),
            priors: Priors::shipped(),
            associations: Associations::shipped(),
            note_trees: note_score::trees(),
            titles,
            term_counts: term_counts.into_iter().map(f32::ln).collect(),
        }
    }
}

/// Best first; of equal scores the lower code.
fn rank(matches: &mut [Match]) {
    matches.sort_by(|a, b| {
        b.score
            .total_cmp(&a.score)
            .then_with(|| a.code.code.cmp(&b.code.code))
    });
}
