//! Finds the terms of the catalogue that a text names, and ranks the codes behind them.
//!
//! ```text
//! tokens ─▶ query (spellings, weights) ─▶ candidates (inverted index) ─▶ features ─▶ score ─▶ code (resolve)
//! ```

mod features;
mod note;
mod note_score;
mod phrase;
mod priors;
mod query;
mod resolve;
mod spelling;
mod weights;

use super::{
    Catalogue,
    catalogue::{Code, TermKind},
};
use priors::Priors;
use spelling::Spelling;
use weights::Weights;

pub(super) use features::NAMES as PHRASE_FEATURES;
pub(super) use note_score::NAMES as NOTE_FEATURES;

/// What is derived from a catalogue once, when it is opened.
#[derive(Debug)]
pub(super) struct Matcher {
    weights: Weights,
    spelling: Spelling,
    priors: Priors,
    /// The term that is the title of each entry; none if its title has no word.
    titles: Vec<Option<u32>>,
}

/// A code that the text names.
#[derive(Debug, Clone)]
pub(super) struct Match {
    pub code: Code,
    /// Log-odds that it is right.
    pub score: f32,
    /// The term that names it best.
    pub term: u32,
    /// Ranges of the text, in code points, ascending.
    pub ranges: Vec<(usize, usize)>,
    pub features: Vec<f32>,
}

impl Matcher {
    pub(super) fn new(catalogue: &Catalogue) -> Self {
        let mut titles = vec![None; catalogue.entries.len()];
        for term in (0..).take(catalogue.terms.len()) {
            if catalogue.terms.kind(term) == TermKind::Title {
                titles[catalogue.terms.entry(term) as usize] = Some(term);
            }
        }
        Self {
            weights: Weights::new(catalogue),
            spelling: Spelling::new(catalogue.terms.stems()),
            priors: Priors::shipped(),
            titles,
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
