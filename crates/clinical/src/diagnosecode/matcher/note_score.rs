//! The score of a finding of a note: log-odds that a coder would give its code, from what names it, what was counted of
//! it and what stands beside it.

use std::collections::HashMap;

use super::{
    associations::{Associated, Association},
    priors::{self, Priors},
    trees::Trees,
};
use crate::diagnosecode::catalogue::TermKind;

/// Of these, the first tell how a term names the code; all zero where none does.
pub(super) const LEXICAL: usize = 11;
const FEATURES: usize = 28;

/// Names, for explanations and for the table that the trees are fitted from (`scripts/catalogue/fit_notes.py`).
pub(crate) const NAMES: [&str; FEATURES] = [
    "term_cover",
    "log_weight",
    "density",
    "words",
    "log_mentions",
    "rivals",
    "position",
    "history",
    "is_title",
    "is_includes",
    "is_index",
    "reliability",
    "category_reliability",
    "blended_reliability",
    "prior",
    "category_prior",
    "association",
    "association_texts",
    "association_lift",
    "association_mean",
    "category_association",
    "behind_category",
    "better_in_category",
    "better_in_note",
    "candidates",
    "log_words",
    "letter",
    "length",
];

pub(super) type Features = [f32; FEATURES];
pub(super) type Lexical = [f32; LEXICAL];

/// How a term names a code in a note.
pub(super) struct Seen {
    pub term_cover: f32,
    pub weight: f32,
    pub density: f32,
    pub words: usize,
    pub mentions: u16,
    pub rivals: u16,
    pub position: f32,
    pub history: bool,
    pub kind: TermKind,
}

/// A code that may be meant: by its terms, by associated words, or both.
pub(super) struct Candidate<'a> {
    /// Without dot and seventh character.
    pub key: &'a str,
    pub lexical: Lexical,
    pub association: Option<&'a Association>,
}

impl Seen {
    pub(super) fn features(&self) -> Lexical {
        let is = |wanted: bool| f32::from(u8::from(wanted));
        [
            self.term_cover,
            self.weight.max(0.1).ln(),
            self.density,
            f32::from(u8::try_from(self.words).unwrap_or(u8::MAX)),
            f32::from(self.mentions).ln(),
            f32::from(self.rivals.min(5)),
            self.position,
            is(self.history),
            is(self.kind == TermKind::Title),
            is(self.kind == TermKind::Includes),
            is(self.kind == TermKind::Index),
        ]
    }
}

/// The trees that are shipped.
pub(super) fn trees() -> Trees {
    Trees::parse(include_str!("../../../data/note_trees.tsv"), FEATURES)
        .expect("the shipped trees are sound, as a test asserts")
}

/// The features of each candidate, each beside the others.
pub(super) fn features(
    priors: &Priors,
    associated: &Associated,
    candidates: &[Candidate<'_>],
) -> Vec<Features> {
    let strengths: Vec<f32> = candidates.iter().map(Candidate::strength).collect();
    let mut sorted = strengths.clone();
    sorted.sort_by(f32::total_cmp);
    let mut categories: HashMap<&str, Vec<f32>> = HashMap::new();
    for (candidate, strength) in candidates.iter().zip(&strengths) {
        categories
            .entry(priors::category(candidate.key))
            .or_default()
            .push(*strength);
    }
    let none = Association::default();
    candidates
        .iter()
        .zip(&strengths)
        .map(|(candidate, own)| {
            let category = &categories[priors::category(candidate.key)];
            let [reliability, of_category, blended] = priors.reliability(candidate.key);
            let association = candidate.association.unwrap_or(&none);
            let better = sorted.len() - sorted.partition_point(|other| other <= own);
            let mut features = [0.0; FEATURES];
            features[..LEXICAL].copy_from_slice(&candidate.lexical);
            features[LEXICAL..].copy_from_slice(&[
                reliability,
                of_category,
                blended,
                priors.share(candidate.key).ln(),
                priors.share(&priors::starred(candidate.key)).ln(),
                association.share,
                association.texts,
                association.lift,
                association.mean,
                associated.category(candidate.key),
                own - category.iter().copied().fold(f32::MIN, f32::max),
                count(category.iter().filter(|other| *other > own).count()),
                count(better) / count(candidates.len()),
                count(candidates.len()),
                count(associated.words.max(1)).ln(),
                letter(candidate.key),
                count(candidate.key.len()),
            ]);
            features
        })
        .collect()
}

impl Candidate<'_> {
    /// How strongly terms name it.
    fn strength(&self) -> f32 {
        let [term_cover, log_weight, density, ..] = self.lexical;
        log_weight + 3.0 * term_cover + 2.0 * density
    }
}

/// Chapters begin with letters: `A` is 0.
fn letter(key: &str) -> f32 {
    f32::from(key.bytes().next().unwrap_or(b'A').saturating_sub(b'A'))
}

fn count(number: usize) -> f32 {
    f32::from(u16::try_from(number).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_trees_are_sound_and_prefer_what_is_named_in_full() {
        let score = |term_cover: f32, reliability: f32| {
            let mut features = [0.0; FEATURES];
            (features[0], features[1], features[2]) = (term_cover, 1.5, term_cover);
            features[LEXICAL..LEXICAL + 3].fill(reliability);
            trees().score(&features)
        };
        assert!(score(1.0, 2.0) > score(0.75, -2.0));
    }
}
