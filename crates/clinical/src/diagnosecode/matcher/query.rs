//! A run of tokens made ready for matching: distinct stems with their weight, and the stems of the catalogue that each
//! may stand for.

use std::collections::HashMap;

use super::{Matcher, spelling::LookedUp};
use crate::diagnosecode::{Catalogue, text::Token};

/// Least similarity at which a word that the catalogue lacks stands for one that it has.
const UNKNOWN_SIMILARITY_MIN: f32 = 0.5;
/// The same for a word that the catalogue has: only close relatives.
const KNOWN_SIMILARITY_MIN: f32 = 0.65;
/// What a known word's relative counts at most.
const RELATIVE_SHARE: f32 = 0.75;

#[derive(Debug)]
pub(super) struct Query {
    pub tokens: Vec<QueryToken>,
    /// For each stem of the catalogue that is meant: which token, and how surely (0 to 1).
    pub meant: HashMap<u32, Meant>,
    pub weight: f32,
}

#[derive(Debug)]
pub(super) struct QueryToken {
    pub stem: String,
    pub weight: f32,
    pub ranges: Vec<(usize, usize)>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Meant {
    pub token: usize,
    pub similarity: f32,
}

impl Matcher {
    /// `fuzzy` looks for relatives of known words too. `looked_up` holds those of the same text met before.
    pub(super) fn query(
        &self,
        catalogue: &Catalogue,
        tokens: &[Token],
        fuzzy: bool,
        looked_up: &mut LookedUp,
    ) -> Query {
        let mut query = Query {
            tokens: Vec::new(),
            meant: HashMap::new(),
            weight: 0.0,
        };
        for token in tokens {
            let range = (token.start, token.end);
            if let Some(known) = query
                .tokens
                .iter_mut()
                .find(|known| known.stem == token.stem)
            {
                known.ranges.push(range);
                continue;
            }
            self.add(catalogue, &mut query, token, fuzzy, looked_up);
        }
        query.weight = query
            .tokens
            .iter()
            .map(|token| token.weight)
            .sum::<f32>()
            .max(f32::EPSILON);
        query
    }

    fn add(
        &self,
        catalogue: &Catalogue,
        query: &mut Query,
        token: &Token,
        fuzzy: bool,
        looked_up: &mut LookedUp,
    ) {
        let at = query.tokens.len();
        let stems = catalogue.terms.stems();
        let exact = catalogue.terms.stem_id(&token.stem);
        let mut weight = exact.map(|id| self.weights.stem(id));
        if let Some(id) = exact {
            query.mean(id, at, 1.0);
        }
        if fuzzy || exact.is_none() {
            let (least, share) = match exact {
                Some(_) => (KNOWN_SIMILARITY_MIN, RELATIVE_SHARE),
                None => (UNKNOWN_SIMILARITY_MIN, 1.0),
            };
            let similar = self
                .spelling
                .similar_once(&token.stem, stems, least, looked_up);
            for (id, similarity) in similar {
                query.mean(*id, at, similarity * share);
                weight.get_or_insert(self.weights.stem(*id));
            }
        }
        query.tokens.push(QueryToken {
            stem: token.stem.clone(),
            weight: weight.unwrap_or(self.weights.unknown),
            ranges: vec![(token.start, token.end)],
        });
    }
}

impl Query {
    fn mean(&mut self, stem: u32, token: usize, similarity: f32) {
        let meant = self
            .meant
            .entry(stem)
            .or_insert(Meant { token, similarity });
        if similarity > meant.similarity {
            *meant = Meant { token, similarity };
        }
    }
}
