//! Builds a catalogue from the official files. The same inputs give the same bytes.

use std::{
    collections::HashSet,
    fmt::Write,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{
    Catalogue, EntryId, Error, NoteKind, Seventh, Source, TermKind, Terms, alphabetic, dutch,
    expand,
    own_terms::own_terms,
    source::{self, Named},
    tabular::{self, Tabular},
    terms::Draft,
};
use crate::diagnosecode::text::Analyzer;

/// Where the official files are.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// The package's wheel, or a folder that holds the tabular XML and the list of codes.
    pub icd10cm: PathBuf,
    /// The official alphabetical index, if the user has it.
    pub index: Option<PathBuf>,
    /// Dutch titles (ClaML or a table), if the user has them.
    pub dutch_titles: Option<PathBuf>,
}

/// Reads the files, checks that they agree, and indexes every term.
pub fn build(inputs: &Inputs) -> Result<Catalogue, Error> {
    let official = source::read(&inputs.icd10cm)?;
    let index = inputs.index.as_deref().map(source::read_file).transpose()?;
    let tabular = tabular::parse(&official.tabular.name, text(&official.tabular)?)?;
    let mut sources = vec![described(&official.tabular), described(&official.codes)];
    let mut catalogue = Catalogue {
        release: tabular.release.clone(),
        sources: Vec::new(),
        chapters: Vec::new(),
        blocks: Vec::new(),
        entries: Vec::new(),
        seventh_sets: Vec::new(),
        terms: Terms::default(),
        dutch_titles: Vec::new(),
    }
    .with(tabular);
    agree(&mut catalogue, text(&official.codes)?)?;
    let mut drafts = tabular_terms(&catalogue);
    drafts.extend(own_terms(&catalogue));
    if let Some(index) = &index {
        drafts.extend(index_terms(&catalogue, &alphabetic::parse(index)?));
        sources.push(described(index));
    }
    let mut drafts = analysed(drafts);
    if let Some(path) = &inputs.dutch_titles {
        let file = source::read_file(path)?;
        catalogue.dutch_titles = dutch::titles(&catalogue, &file)?;
        drafts.extend(dutch::drafts(&catalogue.dutch_titles, &drafts));
        sources.push(described(&file));
    }
    catalogue.sources = sources;
    catalogue.terms = Terms::index(drafts);
    Ok(catalogue)
}

impl Catalogue {
    fn with(self, tabular: Tabular) -> Self {
        Self {
            chapters: tabular.chapters,
            blocks: tabular.blocks,
            entries: tabular.entries,
            seventh_sets: tabular.seventh_sets,
            ..self
        }
    }
}

fn text(file: &Named) -> Result<&str, Error> {
    std::str::from_utf8(&file.bytes).map_err(|_| Error::Malformed {
        name: file.name.clone(),
        line: 1,
        reason: "not UTF-8".to_owned(),
    })
}

fn described(file: &Named) -> Source {
    let digest = Sha256::digest(&file.bytes);
    let mut sha256 = String::with_capacity(64);
    for byte in digest {
        write!(sha256, "{byte:02x}").expect("writing to a string cannot fail");
    }
    Source {
        name: file.name.clone(),
        sha256,
    }
}

/// The list of codes has the last word. The tabular list gives a whole category its seventh characters, though some
/// codes take fewer (a death is no subsequent encounter): those that the list lacks are dropped. Any other difference
/// means that the files are of two releases.
fn agree(catalogue: &mut Catalogue, list: &str) -> Result<(), Error> {
    let official: HashSet<&str> = list
        .lines()
        .map(str::trim)
        .filter(|line| is_code(line))
        .collect();
    let mut ours: HashSet<String> = HashSet::new();
    for entry in &mut catalogue.entries {
        ours.insert(bare(&entry.code));
        let Some(set) = entry.sevenths else { continue };
        let full = |seventh: &Seventh| bare(&expand::with_seventh(&entry.code, seventh.character));
        let all = &catalogue.seventh_sets[usize::from(set)];
        let valid: Vec<Seventh> = all
            .iter()
            .filter(|seventh| official.contains(full(seventh).as_str()))
            .cloned()
            .collect();
        ours.extend(valid.iter().map(full));
        if valid.len() < all.len() {
            entry.sevenths = interned(&mut catalogue.seventh_sets, valid);
        }
    }
    let mut differing: Vec<&str> = official
        .iter()
        .copied()
        .filter(|code| !ours.contains(*code))
        .chain(
            ours.iter()
                .map(String::as_str)
                .filter(|code| !official.contains(code)),
        )
        .collect();
    differing.sort_unstable();
    match differing.first() {
        None => Ok(()),
        Some(example) => Err(Error::Disagree {
            example: (*example).to_owned(),
            count: differing.len(),
        }),
    }
}

fn interned(sets: &mut Vec<Vec<Seventh>>, set: Vec<Seventh>) -> Option<u16> {
    if set.is_empty() {
        return None;
    }
    let at = sets
        .iter()
        .position(|known| *known == set)
        .unwrap_or_else(|| {
            sets.push(set);
            sets.len() - 1
        });
    u16::try_from(at).ok()
}

fn bare(code: &str) -> String {
    code.replace('.', "")
}

/// Chapters are numbers and blocks are ranges; a code is a letter, a digit and more.
fn is_code(line: &str) -> bool {
    line.len() >= 3 && !line.contains('-') && line.starts_with(|c: char| c.is_ascii_uppercase())
}

fn tabular_terms(catalogue: &Catalogue) -> Vec<(String, EntryId, TermKind)> {
    let mut terms = Vec::new();
    for (id, entry) in (0..).zip(&catalogue.entries) {
        terms.push((entry.title.clone(), id, TermKind::Title));
        for note in &entry.notes {
            let kind = match note.kind {
                NoteKind::InclusionTerm => TermKind::Inclusion,
                NoteKind::Includes => TermKind::Includes,
                NoteKind::Excludes1
                | NoteKind::Excludes2
                | NoteKind::CodeFirst
                | NoteKind::UseAdditional
                | NoteKind::CodeAlso
                | NoteKind::Remark => continue,
            };
            terms.push((note.text.clone(), id, kind));
        }
    }
    terms
}

/// Index entries whose code is in this release. `X12.-` stands for its category.
fn index_terms(
    catalogue: &Catalogue,
    rows: &[alphabetic::Row],
) -> Vec<(String, EntryId, TermKind)> {
    rows.iter()
        .filter_map(|row| {
            let found = catalogue.find(row.code.trim_end_matches(['-', '.']))?;
            let text = if row.modifiers.is_empty() {
                row.path.clone()
            } else {
                format!("{} {}", row.path, row.modifiers)
            };
            Some((text, found.entry, TermKind::Index))
        })
        .collect()
}

fn analysed(terms: Vec<(String, EntryId, TermKind)>) -> Vec<Draft> {
    let analyzer = Analyzer::english();
    terms
        .into_iter()
        .map(|(text, entry, kind)| Draft {
            tokens: analyzer.term(&text),
            text,
            entry,
            kind,
        })
        .filter(|draft| !draft.tokens.is_empty())
        .collect()
}

/// For messages: where a catalogue is expected.
impl Inputs {
    #[must_use]
    pub fn new(icd10cm: &Path, index: Option<&Path>) -> Self {
        Self {
            icd10cm: icd10cm.to_owned(),
            index: index.map(Path::to_owned),
            dutch_titles: None,
        }
    }

    /// Adds a file of Dutch titles.
    #[must_use]
    pub fn with_dutch_titles(self, file: Option<PathBuf>) -> Self {
        Self {
            dutch_titles: file,
            ..self
        }
    }
}
