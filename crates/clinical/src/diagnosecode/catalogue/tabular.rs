//! Reads the official tabular list (XML) into entries sorted by code.

use std::collections::HashMap;

use roxmltree::{Document, Node};

use super::{Block, Chapter, Entry, EntryId, Error, Note, NoteKind, Seventh};

/// The official file has 46,881 entries; ids are 32 bits and a note's text is never larger than the file.
const ENTRIES_MAX: usize = 1_000_000;

#[derive(Default)]
pub(super) struct Tabular {
    pub release: String,
    pub chapters: Vec<Chapter>,
    pub blocks: Vec<Block>,
    pub entries: Vec<Entry>,
    pub seventh_sets: Vec<Vec<Seventh>>,
    set_ids: HashMap<Vec<Seventh>, u16>,
}

pub(super) fn parse(name: &str, xml: &str) -> Result<Tabular, Error> {
    let document = Document::parse(xml).map_err(|error| Error::Malformed {
        name: name.to_owned(),
        line: error.pos().row,
        reason: "not well-formed XML".to_owned(),
    })?;
    let root = document.root_element();
    let mut tabular = Tabular {
        release: format!("ICD-10-CM {}", text_of(root, "version")),
        ..Tabular::default()
    };
    for chapter in elements(root, "chapter") {
        tabular.chapters.push(Chapter {
            title: text_of(chapter, "desc"),
            notes: notes(chapter),
        });
        let number = u8::try_from(tabular.chapters.len()).unwrap_or(u8::MAX);
        for section in elements(chapter, "section") {
            tabular.blocks.extend(block(section));
            for category in elements(section, "diag") {
                tabular.add(category, None, number, None);
            }
        }
    }
    if tabular.entries.is_empty() || tabular.entries.len() > ENTRIES_MAX {
        return Err(Error::Malformed {
            name: name.to_owned(),
            line: 1,
            reason: format!("{} entries", tabular.entries.len()),
        });
    }
    tabular.sort();
    Ok(tabular)
}

impl Tabular {
    fn add(
        &mut self,
        diag: Node<'_, '_>,
        parent: Option<EntryId>,
        chapter: u8,
        inherited: Option<u16>,
    ) {
        let id = u32::try_from(self.entries.len()).expect("bounded by the file's size");
        let sevenths = self.seventh_set(diag).or(inherited);
        self.entries.push(Entry {
            code: text_of(diag, "name"),
            title: text_of(diag, "desc"),
            parent,
            descendants: 0,
            chapter,
            sevenths,
            notes: notes(diag),
        });
        for child in elements(diag, "diag") {
            self.add(child, Some(id), chapter, sevenths);
        }
        let last = u32::try_from(self.entries.len() - 1).expect("bounded by the file's size");
        self.entries[id as usize].descendants = last - id;
        if last > id {
            self.entries[id as usize].sevenths = None;
        }
    }

    fn seventh_set(&mut self, diag: Node<'_, '_>) -> Option<u16> {
        let definition = elements(diag, "sevenChrDef").next()?;
        let set: Vec<Seventh> = elements(definition, "extension")
            .filter_map(|extension| {
                Some(Seventh {
                    character: extension.attribute("char")?.chars().next()?,
                    meaning: clean(extension.text().unwrap_or_default()),
                })
            })
            .collect();
        if let Some(id) = self.set_ids.get(&set) {
            return Some(*id);
        }
        let id = u16::try_from(self.seventh_sets.len()).ok()?;
        self.set_ids.insert(set.clone(), id);
        self.seventh_sets.push(set);
        Some(id)
    }

    /// By code, so that a code is found by bisection and the entries below an entry follow it.
    fn sort(&mut self) {
        let mut order: Vec<usize> = (0..self.entries.len()).collect();
        order.sort_by(|a, b| self.entries[*a].code.cmp(&self.entries[*b].code));
        let mut new_id = vec![0_u32; order.len()];
        for (new, old) in (0_u32..).zip(&order) {
            new_id[*old] = new;
        }
        let mut old: Vec<Option<Entry>> = self.entries.drain(..).map(Some).collect();
        for at in order {
            let mut entry = old[at].take().expect("each entry is moved once");
            entry.parent = entry.parent.map(|parent| new_id[parent as usize]);
            self.entries.push(entry);
        }
    }
}

/// A section, whose id is its range: `M50-M54`, or `C50` for a single category.
fn block(section: Node<'_, '_>) -> Option<Block> {
    let range = section.attribute("id")?;
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let title = text_of(section, "desc");
    // The official titles end in their range: `Other dorsopathies (M50-M54)`.
    let plain = title
        .rsplit_once(" (")
        .map_or(title.as_str(), |(plain, _)| plain);
    Some(Block {
        first: first.to_owned(),
        last: last.to_owned(),
        title: plain.to_owned(),
        notes: notes(section),
    })
}

fn notes(diag: Node<'_, '_>) -> Vec<Note> {
    diag.children()
        .filter_map(|child| Some((note_kind(child.tag_name().name())?, child)))
        .flat_map(|(kind, child)| {
            elements(child, "note").map(move |note| Note {
                kind,
                text: clean(note.text().unwrap_or_default()),
            })
        })
        .filter(|note| !note.text.is_empty())
        .collect()
}

fn note_kind(tag: &str) -> Option<NoteKind> {
    Some(match tag {
        "inclusionTerm" => NoteKind::InclusionTerm,
        "includes" => NoteKind::Includes,
        "excludes1" => NoteKind::Excludes1,
        "excludes2" => NoteKind::Excludes2,
        "codeFirst" => NoteKind::CodeFirst,
        "useAdditionalCode" => NoteKind::UseAdditional,
        "codeAlso" => NoteKind::CodeAlso,
        "notes" => NoteKind::Remark,
        _ => return None,
    })
}

fn elements<'a, 'input: 'a>(
    node: Node<'a, 'input>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children()
        .filter(move |child| child.has_tag_name(name))
}

fn text_of(node: Node<'_, '_>, name: &'static str) -> String {
    elements(node, name)
        .next()
        .and_then(|element| element.text())
        .map(clean)
        .unwrap_or_default()
}

fn clean(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
