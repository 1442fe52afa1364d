//! The terms that a sentence names: those of which it holds most, close together, and says that they are present.

use super::{Matcher, query::Query, spelling::LookedUp};
use crate::diagnosecode::{
    Catalogue,
    catalogue::EntryId,
    text::{Assertion, Scope, Token, asserted},
};

/// Least share of a term's weight that a sentence must hold.
const TERM_COVER_MIN: f32 = 0.72;
/// A term's words may lie this many tokens apart beyond their number.
const GAPS_MAX: usize = 5;
/// Terms of one sentence that are looked at closely.
const CANDIDATES_MAX: usize = 400;

/// Cover of a term from which it is named in full.
pub(super) const IN_FULL: f32 = 0.99;

/// What the sentences of one note share.
pub(super) struct Scratch {
    /// For each term zero, between two sentences.
    covered: Vec<f32>,
    looked_up: LookedUp,
}

impl Scratch {
    pub(super) fn new(catalogue: &Catalogue) -> Self {
        Self {
            covered: vec![0.0; catalogue.terms.len()],
            looked_up: LookedUp::default(),
        }
    }
}

/// What a sentence names.
pub(super) struct Mentions {
    pub present: Vec<Mention>,
    pub absent: Vec<EntryId>,
}

/// A term found in a sentence.
pub(super) struct Mention {
    pub term: u32,
    pub entry: EntryId,
    pub term_cover: f32,
    /// Weight of the words found.
    pub weight: f32,
    pub density: f32,
    /// Which tokens of the sentence, ascending.
    pub tokens: Vec<usize>,
    pub history: bool,
    /// Stronger mentions of the same words.
    pub rivals: u16,
}

impl Matcher {
    /// The terms that a sentence names: as present, strongest first, and in full but as absent.
    pub(super) fn sentence(
        &self,
        catalogue: &Catalogue,
        tokens: &[Token],
        scopes: &[Scope],
        scratch: &mut Scratch,
    ) -> Mentions {
        let query = self.query(catalogue, tokens, false, &mut scratch.looked_up);
        let mut mentions: Vec<Mention> = Vec::new();
        let mut absent = Vec::new();
        for term in self.held(catalogue, &query, &mut scratch.covered) {
            let Some(mention) = self.mention(catalogue, &query, tokens, term) else {
                continue;
            };
            let (entry, in_full) = (mention.entry, mention.term_cover > IN_FULL);
            match present(catalogue, tokens, scopes, mention) {
                Some(mention) => mentions.push(mention),
                None if in_full => absent.push(entry),
                None => {}
            }
        }
        mentions.sort_by(|a, b| {
            strength(b)
                .total_cmp(&strength(a))
                .then(a.term.cmp(&b.term))
        });
        Mentions {
            present: without_parts(mentions),
            absent,
        }
    }

    /// The terms that the sentence covers well enough, best first.
    fn held(&self, catalogue: &Catalogue, query: &Query, covered: &mut [f32]) -> Vec<u32> {
        let mut touched = Vec::new();
        for (stem, meant) in &query.meant {
            let gain = self.weights.stem(*stem) * meant.similarity;
            for term in catalogue.terms.postings(*stem) {
                let sum = &mut covered[*term as usize];
                if *sum == 0.0 {
                    touched.push(*term);
                }
                *sum += gain;
            }
        }
        let mut held: Vec<(f32, u32)> = Vec::new();
        for term in touched {
            let sum = std::mem::take(&mut covered[term as usize]);
            if sum >= TERM_COVER_MIN * self.weights.term(term) {
                held.push((sum, term));
            }
        }
        held.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        held.truncate(CANDIDATES_MAX);
        held.into_iter().map(|(_, term)| term).collect()
    }

    fn mention(
        &self,
        catalogue: &Catalogue,
        query: &Query,
        tokens: &[Token],
        term: u32,
    ) -> Option<Mention> {
        let mut wanted: Vec<(&str, f32)> = Vec::new();
        let mut weight = 0.0;
        for token in catalogue.terms.tokens(term) {
            if let Some(meant) = query.meant.get(&token.stem)
                && !token.optional
            {
                let gain = self.weights.stem(token.stem) * meant.similarity;
                weight += gain;
                wanted.push((query.tokens[meant.token].stem.as_str(), gain));
            }
        }
        let term_cover = weight / self.weights.term(term);
        if term_cover < TERM_COVER_MIN {
            return None;
        }
        let tokens = closest(tokens, &wanted)?;
        let span = tokens.last()? - tokens.first()? + 1;
        let gaps = span - tokens.len();
        (gaps <= GAPS_MAX).then(|| Mention {
            term,
            entry: catalogue.terms.entry(term),
            term_cover,
            weight,
            density: 1.0 / (1.0 + f32::from(u8::try_from(gaps).unwrap_or(u8::MAX)) * 0.15),
            tokens,
            history: false,
            rivals: 0,
        })
    }
}

/// The occurrence of each wanted stem in the run of tokens that lies closest together: anchored at each occurrence of
/// the heaviest, the nearest of each other.
fn closest(tokens: &[Token], wanted: &[(&str, f32)]) -> Option<Vec<usize>> {
    let heaviest = wanted.iter().max_by(|a, b| a.1.total_cmp(&b.1))?.0;
    let places = |stem: &str| -> Vec<usize> {
        (0..tokens.len())
            .filter(|at| tokens[*at].stem == stem)
            .collect()
    };
    let others: Vec<Vec<usize>> = wanted
        .iter()
        .filter(|(stem, _)| *stem != heaviest)
        .map(|(stem, _)| places(stem))
        .collect();
    places(heaviest)
        .into_iter()
        .map(|anchor| {
            let mut run: Vec<usize> = others
                .iter()
                .filter_map(|places| places.iter().copied().min_by_key(|at| at.abs_diff(anchor)))
                .collect();
            run.push(anchor);
            run.sort_unstable();
            run.dedup();
            run
        })
        .min_by_key(|run| run[run.len() - 1] - run[0])
}

/// Leaves out what is not said to be present; marks what is said to be of old.
fn present(
    catalogue: &Catalogue,
    tokens: &[Token],
    scopes: &[Scope],
    mut mention: Mention,
) -> Option<Mention> {
    let first = &tokens[*mention.tokens.first()?];
    let last = &tokens[*mention.tokens.last()?];
    let start = first.start.min(last.start);
    let end = last.end.max(first.end);
    match asserted(scopes, start, end) {
        None => Some(mention),
        Some(Assertion::Family) => catalogue
            .entry(mention.entry)
            .code
            .starts_with("Z8")
            .then_some(mention),
        Some(Assertion::Negated | Assertion::Hypothetical | Assertion::Past) => None,
        Some(Assertion::History) => {
            mention.history = true;
            lasts(&catalogue.entry(mention.entry).code).then_some(mention)
        }
    }
}

/// Whether a history of it means that it is still there: endocrine and mental disorders, chronic disorders of nerves,
/// heart, lungs, joints and kidneys.
pub(super) fn lasts(code: &str) -> bool {
    let category = code.get(..3).unwrap_or(code);
    ["E", "F"].iter().any(|letter| category.starts_with(letter))
        || [
            ("G20", "G47"),
            ("I10", "I16"),
            ("I20", "I20"),
            ("I25", "I25"),
            ("I27", "I27"),
            ("I34", "I51"),
            ("J40", "J47"),
            ("K21", "K21"),
            ("K50", "K51"),
            ("K70", "K77"),
            ("L40", "L40"),
            ("M05", "M19"),
            ("M45", "M45"),
            ("M80", "M81"),
            ("N18", "N18"),
            ("N40", "N40"),
        ]
        .iter()
        .any(|(first, last)| (*first..=*last).contains(&category))
}

/// Drops a mention whose words are a part of a stronger one's: the colic of a renal colic.
fn without_parts(mentions: Vec<Mention>) -> Vec<Mention> {
    let mut kept: Vec<Mention> = Vec::new();
    for mut mention in mentions {
        let is_part = kept.iter().any(|stronger| {
            stronger.tokens.len() > mention.tokens.len()
                && mention
                    .tokens
                    .iter()
                    .all(|token| stronger.tokens.binary_search(token).is_ok())
        });
        if !is_part {
            let rivals = kept
                .iter()
                .filter(|stronger| stronger.tokens == mention.tokens)
                .count();
            mention.rivals = u16::try_from(rivals).unwrap_or(u16::MAX);
            kept.push(mention);
        }
    }
    kept
}

pub(super) fn strength(mention: &Mention) -> f32 {
    mention.weight * mention.term_cover * mention.density
}
