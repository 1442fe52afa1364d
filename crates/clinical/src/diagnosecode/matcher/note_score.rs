//! The score of a finding of a note: log-odds that a coder would give its code.

use crate::diagnosecode::catalogue::TermKind;

pub(super) const FEATURES: usize = 18;

/// Names, for the table that the weights are fitted from.
pub(crate) const NAMES: [&str; FEATURES] = [
    "bias",
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
    "prior",
    "category_prior",
    "reliability",
    "chapter_symptoms",
    "chapter_injury",
    "chapter_external_or_status",
];

/// Fitted by `scripts/catalogue/fit_ranker.py` on the training part of CodiEsp.
const COEFFICIENTS: [f32; FEATURES] = [
    -10.122, 6.107, 0.676, 3.576, 0.036, 0.270, -0.323, -0.300, 0.361, -0.050, -0.799, -0.350,
    -0.134, 0.073, 1.159, -0.320, -0.936, -0.606,
];

/// What was seen of a code in a note.
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
    pub chapter: u8,
    pub prior: f32,
    pub category_prior: f32,
    pub reliability: f32,
}

pub(super) fn features(seen: &Seen) -> [f32; FEATURES] {
    let is = |wanted: bool| f32::from(u8::from(wanted));
    [
        1.0,
        seen.term_cover,
        seen.weight.max(0.1).ln(),
        seen.density,
        f32::from(u8::try_from(seen.words).unwrap_or(u8::MAX)),
        f32::from(seen.mentions).ln(),
        f32::from(seen.rivals.min(5)),
        seen.position,
        is(seen.history),
        is(seen.kind == TermKind::Title),
        is(seen.kind == TermKind::Includes),
        is(seen.kind == TermKind::Index),
        seen.prior,
        seen.category_prior,
        seen.reliability,
        is(seen.chapter == 18),
        is(seen.chapter == 19),
        is(seen.chapter >= 20),
    ]
}

pub(super) fn score(features: &[f32; FEATURES]) -> f32 {
    features
        .iter()
        .zip(&COEFFICIENTS)
        .map(|(value, weight)| value * weight)
        .sum()
}
