//! The catalogue: every code of ICD-10-CM with its notes, the terms that name it, and the DCSPH tables.
//!
//! Built by [`build()`] from the official files, stored by [`file`], never changed afterwards.

mod alphabetic;
mod build;
mod dutch;
mod expand;
pub mod file;
mod own_terms;
pub mod reference;
mod source;
mod tabular;
mod terms;

pub use build::{Inputs, build};
pub use terms::{TermKind, Terms};

use serde::{Deserialize, Serialize};

/// What `Catalogue::entries` index into the list of entries; the list is sorted by code.
pub type EntryId = u32;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{path}: {source}")]
    Io {
        path: String,
        source: std::io::Error,
    },
    #[error(
        "{path} is neither a wheel nor a folder that holds the ICD-10-CM tabular XML and the list of codes"
    )]
    NoSource { path: String },
    #[error("{name}, line {line}: {reason}")]
    Malformed {
        name: String,
        line: u32,
        reason: String,
    },
    #[error(
        "the tabular list and the list of codes disagree, for example on {example} ({count} codes in all)"
    )]
    Disagree { example: String, count: usize },
    #[error("no catalogue at {path}: run ./hysio install, or build one with `hysio codes build`")]
    Missing { path: String },
    #[error(
        "{path} is not a catalogue of format {}: build it again with `hysio codes build`",
        file::FORMAT
    )]
    Format { path: String },
    #[error("{path} is damaged (its checksum is wrong): build it again with `hysio codes build`")]
    Damaged { path: String },
}

/// Everything that is known about the codes.
#[derive(Debug, Serialize, Deserialize)]
pub struct Catalogue {
    /// Such as `ICD-10-CM 2026`.
    pub release: String,
    pub sources: Vec<Source>,
    /// The first is chapter 1.
    pub chapters: Vec<Chapter>,
    /// In the order of their codes.
    pub blocks: Vec<Block>,
    pub entries: Vec<Entry>,
    /// The sets of seventh characters that entries refer to.
    pub seventh_sets: Vec<Vec<Seventh>>,
    pub terms: Terms,
    /// Titles in Dutch, from a file that the user has; by entry, ascending.
    pub dutch_titles: Vec<(EntryId, String)>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Chapter {
    pub title: String,
    pub notes: Vec<Note>,
}

/// Neighbouring categories under a title, such as `M50-M54 Other dorsopathies`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Block {
    /// First and last category.
    pub first: String,
    pub last: String,
    pub title: String,
    pub notes: Vec<Note>,
}

/// A file that the catalogue was built from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    pub name: String,
    pub sha256: String,
}

/// A category or subcategory of the tabular list.
#[derive(Debug, Serialize, Deserialize)]
pub struct Entry {
    pub code: String,
    pub title: String,
    pub parent: Option<EntryId>,
    /// Number of entries below this one, which follow it directly.
    pub descendants: u32,
    pub chapter: u8,
    /// The set of seventh characters, for a leaf that needs one to be billable.
    pub sevenths: Option<u16>,
    pub notes: Vec<Note>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Seventh {
    pub character: char,
    pub meaning: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub kind: NoteKind,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoteKind {
    InclusionTerm,
    Includes,
    Excludes1,
    Excludes2,
    CodeFirst,
    UseAdditional,
    CodeAlso,
    Remark,
}

impl NoteKind {
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::InclusionTerm => "Inclusion term",
            Self::Includes => "Includes",
            Self::Excludes1 => "Excludes 1",
            Self::Excludes2 => "Excludes 2",
            Self::CodeFirst => "Code first",
            Self::UseAdditional => "Use additional code",
            Self::CodeAlso => "Code also",
            Self::Remark => "Note",
        }
    }
}

/// A code as a person sees it: an entry, or an entry with its seventh character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    pub entry: EntryId,
    pub code: String,
    pub title: String,
    pub billable: bool,
}

impl Entry {
    #[must_use]
    pub fn is_leaf(&self) -> bool {
        self.descendants == 0
    }
}

impl Catalogue {
    #[must_use]
    pub fn entry(&self, id: EntryId) -> &Entry {
        &self.entries[id as usize]
    }

    #[must_use]
    pub fn children(&self, id: EntryId) -> Vec<EntryId> {
        let last = id + self.entry(id).descendants;
        let mut children = Vec::new();
        let mut next = id + 1;
        while next <= last {
            children.push(next);
            next += 1 + self.entry(next).descendants;
        }
        children
    }

    /// The chapter of an entry.
    #[must_use]
    pub fn chapter(&self, id: EntryId) -> Option<&Chapter> {
        let number = usize::from(self.entry(id).chapter);
        self.chapters.get(number.checked_sub(1)?)
    }

    /// The block of an entry.
    #[must_use]
    pub fn block(&self, id: EntryId) -> Option<&Block> {
        let category = self.entry(id).code.get(..3)?;
        self.blocks
            .iter()
            .find(|block| (block.first.as_str()..=block.last.as_str()).contains(&category))
    }

    /// Every note that holds for an entry, nearest first, and where it stands: a code, a block (`M50-M54`) or a chapter.
    pub fn notes(&self, id: EntryId) -> impl Iterator<Item = (String, &Note)> {
        let own = self
            .lineage(id)
            .flat_map(|entry| entry.notes.iter().map(|note| (entry.code.clone(), note)));
        let of_block = self.block(id).into_iter().flat_map(|block| {
            let range = format!("{}-{}", block.first, block.last);
            block.notes.iter().map(move |note| (range.clone(), note))
        });
        let number = self.entry(id).chapter;
        let of_chapter = self.chapter(id).into_iter().flat_map(move |chapter| {
            let name = format!("chapter {number}");
            chapter.notes.iter().map(move |note| (name.clone(), note))
        });
        own.chain(of_block).chain(of_chapter)
    }

    /// The Dutch title of an entry, where a file of them was imported.
    #[must_use]
    pub fn dutch_title(&self, id: EntryId) -> Option<&str> {
        let at = self
            .dutch_titles
            .binary_search_by_key(&id, |(entry, _)| *entry)
            .ok()?;
        Some(&self.dutch_titles[at].1)
    }

    /// The entry and those above it, nearest first.
    pub fn lineage(&self, id: EntryId) -> impl Iterator<Item = &Entry> {
        std::iter::successors(Some(id), |id| self.entry(*id).parent).map(|id| self.entry(id))
    }

    /// Finds a code with or without its dot, in any case: `m5450` is `M54.50`.
    #[must_use]
    pub fn find(&self, code: &str) -> Option<Code> {
        let code = dotted(code);
        if let Some(id) = self.position(&code) {
            return Some(self.code(id, None));
        }
        let (base, character) = code.split_at_checked(code.len().checked_sub(1)?)?;
        let base = base.trim_end_matches('X').trim_end_matches('.');
        let id = self.position(base)?;
        let seventh = self
            .seventh_set(id)
            .iter()
            .find(|seventh| character.starts_with(seventh.character))?;
        let found = self.code(id, Some(seventh));
        (found.code == code).then_some(found)
    }

    /// The code of an entry, completed with a seventh character where one is given.
    #[must_use]
    pub fn code(&self, id: EntryId, seventh: Option<&Seventh>) -> Code {
        let entry = self.entry(id);
        match seventh {
            None => Code {
                entry: id,
                code: entry.code.clone(),
                title: entry.title.clone(),
                billable: entry.is_leaf() && entry.sevenths.is_none(),
            },
            Some(seventh) => Code {
                entry: id,
                code: expand::with_seventh(&entry.code, seventh.character),
                title: format!("{}, {}", entry.title, seventh.meaning),
                billable: true,
            },
        }
    }

    /// The seventh characters that a leaf must be completed with; empty where none is needed.
    #[must_use]
    pub fn seventh_set(&self, id: EntryId) -> &[Seventh] {
        match self.entry(id).sevenths {
            Some(set) => &self.seventh_sets[set as usize],
            None => &[],
        }
    }

    /// Number of codes that can be billed, seventh characters counted.
    #[must_use]
    pub fn billable_count(&self) -> usize {
        (0..)
            .zip(&self.entries)
            .filter(|(_, entry)| entry.is_leaf())
            .map(|(id, _)| self.seventh_set(id).len().max(1))
            .sum()
    }

    /// At most `limit` entries whose code begins with `prefix`, in order.
    #[must_use]
    pub fn starting_with(&self, prefix: &str, limit: usize) -> Vec<Code> {
        let prefix = dotted(prefix);
        let first = self.entries.partition_point(|entry| entry.code < prefix);
        (first..self.entries.len())
            .take_while(|id| self.entries[*id].code.starts_with(&prefix))
            .take(limit)
            .map(|id| {
                self.code(
                    u32::try_from(id).expect("entries are numbered in 32 bits"),
                    None,
                )
            })
            .collect()
    }

    pub(crate) fn position(&self, code: &str) -> Option<EntryId> {
        let at = self
            .entries
            .binary_search_by(|entry| entry.code.as_str().cmp(code))
            .ok()?;
        u32::try_from(at).ok()
    }
}

/// Upper case, with the dot after the third character.
fn dotted(code: &str) -> String {
    let bare: String = code
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_uppercase())
        .collect();
    match bare.split_at_checked(3) {
        Some((category, rest)) if !rest.is_empty() => format!("{category}.{rest}"),
        Some(_) | None => bare,
    }
}
