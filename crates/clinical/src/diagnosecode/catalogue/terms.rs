//! The terms that name codes, and the inverted index over their stems. Flat arrays: quick to read from the file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::EntryId;
use crate::diagnosecode::text::TermToken;

pub(in crate::diagnosecode) type TermId = u32;
pub(in crate::diagnosecode) type StemId = u32;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TermKind {
    Title,
    Inclusion,
    Includes,
    Index,
    /// Of our own list of names.
    Own,
}

/// A term before it is indexed.
pub(in crate::diagnosecode) struct Draft {
    pub text: String,
    pub entry: EntryId,
    pub kind: TermKind,
    pub tokens: Vec<TermToken>,
}

/// Every term with its tokens, and for every stem the terms that hold it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Terms {
    texts: Vec<String>,
    entries: Vec<EntryId>,
    kinds: Vec<TermKind>,
    tokens: Lists,
    /// Sorted.
    stems: Vec<String>,
    postings: Lists,
}

/// Lists of numbers, one behind the other.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Lists {
    /// Where each list ends.
    ends: Vec<u32>,
    items: Vec<u32>,
}

impl Lists {
    fn push(&mut self, list: impl IntoIterator<Item = u32>) {
        self.items.extend(list);
        self.ends.push(
            u32::try_from(self.items.len()).expect("the catalogue has fewer than 2³² tokens"),
        );
    }

    fn get(&self, at: u32) -> &[u32] {
        let at = at as usize;
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.items[start as usize..self.ends[at] as usize]
    }
}

/// A token of an indexed term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::diagnosecode) struct IndexedToken {
    pub stem: StemId,
    pub optional: bool,
}

impl Terms {
    pub(in crate::diagnosecode) fn index(drafts: Vec<Draft>) -> Self {
        let mut postings: BTreeMap<&str, Vec<TermId>> = BTreeMap::new();
        for (term, draft) in (0..).zip(&drafts) {
            for token in &draft.tokens {
                postings.entry(&token.stem).or_default().push(term);
            }
        }
        let mut terms = Self {
            stems: postings.keys().map(|stem| (*stem).to_owned()).collect(),
            ..Self::default()
        };
        for list in postings.into_values() {
            terms.postings.push(list);
        }
        for draft in drafts {
            let tokens: Vec<u32> = draft
                .tokens
                .iter()
                .map(|token| terms.packed(token))
                .collect();
            terms.tokens.push(tokens);
            terms.texts.push(draft.text);
            terms.entries.push(draft.entry);
            terms.kinds.push(draft.kind);
        }
        terms
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Number of terms of a kind.
    #[must_use]
    pub fn count(&self, kind: TermKind) -> usize {
        self.kinds.iter().filter(|known| **known == kind).count()
    }

    pub(in crate::diagnosecode) fn text(&self, term: TermId) -> &str {
        &self.texts[term as usize]
    }

    pub(in crate::diagnosecode) fn entry(&self, term: TermId) -> EntryId {
        self.entries[term as usize]
    }

    pub(in crate::diagnosecode) fn kind(&self, term: TermId) -> TermKind {
        self.kinds[term as usize]
    }

    pub(in crate::diagnosecode) fn tokens(
        &self,
        term: TermId,
    ) -> impl Iterator<Item = IndexedToken> + Clone {
        self.tokens.get(term).iter().map(|packed| IndexedToken {
            stem: packed >> 1,
            optional: packed & 1 == 1,
        })
    }

    pub(in crate::diagnosecode) fn stems(&self) -> &[String] {
        &self.stems
    }

    pub(in crate::diagnosecode) fn stem_id(&self, stem: &str) -> Option<StemId> {
        let at = self
            .stems
            .binary_search_by(|known| known.as_str().cmp(stem))
            .ok()?;
        StemId::try_from(at).ok()
    }

    /// The terms that hold a stem, ascending.
    pub(in crate::diagnosecode) fn postings(&self, stem: StemId) -> &[TermId] {
        self.postings.get(stem)
    }

    /// Stem in the upper 31 bits, optionality in the lowest.
    fn packed(&self, token: &TermToken) -> u32 {
        let stem = self.stem_id(&token.stem).expect("every stem was listed");
        stem << 1 | u32::from(token.optional)
    }
}
