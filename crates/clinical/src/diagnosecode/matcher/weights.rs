//! How much each stem says.

use std::collections::HashMap;

use crate::diagnosecode::{
    Catalogue,
    catalogue::{Entry, EntryId},
};

/// Words of the classification rather than of medicine, with the share of their weight that they keep: a text seldom
/// says that something is unspecified. Stems.
const DAMPED: [(&str, f32); 16] = [
    ("unspecifi", 0.1),
    ("specifi", 0.1),
    ("other", 0.3),
    ("certain", 0.2),
    ("classifi", 0.1),
    ("elsewher", 0.1),
    ("disord", 0.35),
    ("syndrom", 0.6),
    ("type", 0.5),
    ("not", 0.5),
    ("without", 0.3),
    ("complic", 0.5),
    ("initi", 0.3),
    ("encount", 0.2),
    ("part", 0.4),
    ("site", 0.4),
];

#[derive(Debug)]
pub(super) struct Weights {
    stems: Vec<f32>,
    /// Sum over the tokens of each term that a text must name.
    terms: Vec<f32>,
    /// Of a word that no term holds.
    pub unknown: f32,
}

impl Weights {
    pub(super) fn new(catalogue: &Catalogue) -> Self {
        let terms = &catalogue.terms;
        let categories = categories(&catalogue.entries);
        let count = f32::from(*categories.last().unwrap_or(&0)) + 1.0;
        let damped: HashMap<&str, f32> = DAMPED.into_iter().collect();
        let stems: Vec<f32> = (0..)
            .zip(terms.stems())
            .map(|(id, stem)| {
                let held = distinct(
                    terms
                        .postings(id)
                        .iter()
                        .map(|term| categories[terms.entry(*term) as usize]),
                );
                let share = damped.get(stem.as_str()).copied().unwrap_or(1.0);
                (1.0 + count / held).ln() * share
            })
            .collect();
        let of_terms = (0..)
            .take(terms.len())
            .map(|term| {
                terms
                    .tokens(term)
                    .filter(|token| !token.optional)
                    .map(|token| stems[token.stem as usize])
                    .sum::<f32>()
                    .max(f32::EPSILON)
            })
            .collect();
        Self {
            stems,
            terms: of_terms,
            unknown: (1.0 + count / 2.0).ln(),
        }
    }

    pub(super) fn stem(&self, stem: u32) -> f32 {
        self.stems[stem as usize]
    }

    pub(super) fn term(&self, term: u32) -> f32 {
        self.terms[term as usize]
    }
}

/// For each entry the number of its three-character category, ascending.
fn categories(entries: &[Entry]) -> Vec<u16> {
    let mut number = 0_u16;
    let mut numbers = Vec::with_capacity(entries.len());
    for (id, entry) in (0..).zip(entries) {
        let id: EntryId = id;
        if id > 0 && entry.parent.is_none() {
            number = number.saturating_add(1);
        }
        numbers.push(number);
    }
    numbers
}

fn distinct(categories: impl Iterator<Item = u16>) -> f32 {
    let mut seen: Vec<u16> = categories.collect();
    seen.sort_unstable();
    seen.dedup();
    f32::from(u16::try_from(seen.len()).unwrap_or(u16::MAX))
}
