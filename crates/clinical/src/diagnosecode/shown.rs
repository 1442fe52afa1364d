//! All that is known about a code, as it is shown: by a terminal, a page, a program.

use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Catalogue,
    catalogue::{Code, EntryId, TermKind},
    edits::{self, Basis, Edit},
    retired::{self, Retired},
};

/// Sides that titles name.
const SIDES: [&str; 4] = ["bilateral", "left", "right", "unspecified"];

/// A code with its notes.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Shown {
    pub code: String,
    pub title: String,
    pub billable: bool,
    /// Set for a code that could be billed once: since when not, and what took its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retired: Option<Retired>,
    /// In Dutch, where a file of such titles was imported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dutch_title: Option<String>,
    pub chapter: Option<String>,
    /// Neighbouring categories, such as `M50-M54 Other dorsopathies`.
    pub block: Option<String>,
    /// Its categories, nearest first.
    pub above: Vec<Row>,
    pub below: Vec<Row>,
    pub notes: Vec<ShownNote>,
    pub seventh_characters: Vec<ShownSeventh>,
    /// The side that its title names, and the codes of the other sides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub laterality: Option<Laterality>,
    /// Who it is for.
    pub edits: Vec<ShownEdit>,
    /// Entries of the alphabetical index that lead to it, where the index was imported.
    pub index: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Row {
    pub code: String,
    pub title: String,
    pub billable: bool,
    /// Set in a search for a retired code that this one took the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ShownNote {
    /// Where the note stands: this code or one above it, a block or a chapter.
    pub code: String,
    pub kind: &'static str,
    pub text: String,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ShownSeventh {
    pub character: char,
    pub meaning: String,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Laterality {
    pub side: &'static str,
    pub others: Vec<Row>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ShownEdit {
    pub edit: Edit,
    pub meaning: String,
    /// `official` is a list of the Medicare Code Editor; `derived` was drawn from chapter and title.
    pub basis: Basis,
}

impl From<Code> for Row {
    fn from(code: Code) -> Self {
        Self {
            code: code.code,
            title: code.title,
            billable: code.billable,
            replaces: None,
        }
    }
}

impl Shown {
    /// A code that belongs to no hierarchy, such as one of DCSPH.
    #[must_use]
    pub fn plain(code: Code) -> Self {
        Self {
            code: code.code,
            title: code.title,
            billable: code.billable,
            retired: None,
            dutch_title: None,
            chapter: None,
            block: None,
            above: Vec::new(),
            below: Vec::new(),
            notes: Vec::new(),
            seventh_characters: Vec::new(),
            laterality: None,
            edits: Vec::new(),
            index: Vec::new(),
        }
    }

    /// A code that the catalogue has no more.
    #[must_use]
    pub fn gone(retired: &Retired) -> Self {
        let code = Code {
            entry: 0,
            code: retired.code.clone(),
            title: retired.title.clone(),
            billable: false,
        };
        Self {
            retired: Some(retired.clone()),
            ..Self::plain(code)
        }
    }

    #[must_use]
    pub fn of(catalogue: &Catalogue, found: Code) -> Self {
        let id = found.entry;
        let entry = catalogue.entry(id);
        Self {
            retired: retired::find(&found.code).cloned(),
            dutch_title: catalogue.dutch_title(id).map(str::to_owned),
            chapter: catalogue
                .chapter(id)
                .map(|chapter| format!("{}: {}", entry.chapter, chapter.title)),
            block: catalogue
                .block(id)
                .map(|block| format!("{}-{} {}", block.first, block.last, block.title)),
            above: above(catalogue, &found),
            below: rows(catalogue, catalogue.children(id)),
            notes: notes(catalogue, id),
            seventh_characters: sevenths(catalogue, id),
            laterality: laterality(catalogue, id),
            edits: shown_edits(&found.code, entry.chapter, &entry.title),
            index: index(catalogue, id),
            ..Self::plain(found)
        }
    }
}

fn above(catalogue: &Catalogue, found: &Code) -> Vec<Row> {
    catalogue
        .lineage(found.entry)
        .filter(|above| above.code != found.code)
        .map(|above| Row {
            code: above.code.clone(),
            title: above.title.clone(),
            billable: false,
            replaces: None,
        })
        .collect()
}

fn rows(catalogue: &Catalogue, ids: Vec<EntryId>) -> Vec<Row> {
    ids.into_iter()
        .map(|id| Row::from(catalogue.code(id, None)))
        .collect()
}

fn notes(catalogue: &Catalogue, id: EntryId) -> Vec<ShownNote> {
    catalogue
        .notes(id)
        .map(|(code, note)| ShownNote {
            code,
            kind: note.kind.label(),
            text: note.text.clone(),
        })
        .collect()
}

fn sevenths(catalogue: &Catalogue, id: EntryId) -> Vec<ShownSeventh> {
    catalogue
        .seventh_set(id)
        .iter()
        .map(|seventh| ShownSeventh {
            character: seventh.character,
            meaning: seventh.meaning.clone(),
        })
        .collect()
}

/// Sides of one thing stand below one entry and differ in the word for the side alone.
fn laterality(catalogue: &Catalogue, id: EntryId) -> Option<Laterality> {
    let entry = catalogue.entry(id);
    let side = side(&entry.title)?;
    let plain = without_side(&entry.title);
    let siblings = catalogue.children(entry.parent?);
    let others: Vec<EntryId> = siblings
        .into_iter()
        .filter(|other| {
            let title = &catalogue.entry(*other).title;
            *other != id && self::side(title).is_some() && without_side(title) == plain
        })
        .collect();
    (!others.is_empty()).then(|| Laterality {
        side,
        others: rows(catalogue, others),
    })
}

fn side(title: &str) -> Option<&'static str> {
    let title = title.to_lowercase();
    let mut words = title.split(|c: char| !c.is_alphanumeric());
    SIDES
        .into_iter()
        .find(|side| words.clone().any(|word| word == *side))
        .filter(|_| words.next().is_some())
}

/// The words of a title but for the side, in the singular, as `bilateral` has plurals.
fn without_side(title: &str) -> Vec<String> {
    title
        .to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty() && !SIDES.contains(word))
        .map(|word| word.trim_end_matches('s').to_owned())
        .collect()
}

fn shown_edits(code: &str, chapter: u8, title: &str) -> Vec<ShownEdit> {
    edits::of(code, chapter, title)
        .into_iter()
        .map(|(edit, basis)| ShownEdit {
            edit,
            meaning: edit.to_string(),
            basis,
        })
        .collect()
}

fn index(catalogue: &Catalogue, id: EntryId) -> Vec<String> {
    let terms = &catalogue.terms;
    let count = u32::try_from(terms.len()).unwrap_or(u32::MAX);
    (0..count)
        .filter(|term| terms.entry(*term) == id && terms.kind(*term) == TermKind::Index)
        .map(|term| terms.text(term).to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_told_by_whole_words() {
        assert_eq!(side("Pain in left knee"), Some("left"));
        assert_eq!(side("Copyright of the rightful"), None);
        assert_eq!(
            without_side("Pain in left knee"),
            without_side("Pain in right knee")
        );
        assert_ne!(
            without_side("Pain in left hip"),
            without_side("Pain in right knee")
        );
    }
}
