//! Finds the terms of the catalogue that a text names, and ranks the codes behind them.
//!
//! ```text
//! tokens ─▶ query (spellings, weights) ─▶ candidates (inverted index) ─▶ features ─▶ score ─▶ code (resolve)
//! ```

mod features;
mod phrase;
mod query;
mod resolve;
mod spelling;
mod weights;

use super::{Catalogue, catalogue::EntryId};
use spelling::Spelling;
use weights::Weights;

pub(super) use features::Features;
pub(super) use resolve::resolve;

/// What is derived from a catalogue once, when it is opened.
#[derive(Debug)]
pub(super) struct Matcher {
    weights: Weights,
    spelling: Spelling,
}

/// An entry that the text names.
#[derive(Debug, Clone)]
pub(super) struct Match {
    pub entry: EntryId,
    pub score: f32,
    pub term: u32,
    /// Ranges of the text, in code points, ascending.
    pub ranges: Vec<(usize, usize)>,
    pub features: Features,
}

impl Matcher {
    pub(super) fn new(catalogue: &Catalogue) -> Self {
        Self {
            weights: Weights::new(catalogue),
            spelling: Spelling::new(catalogue.terms.stems()),
        }
    }
}
