//! Several codes of one text, made to fit together: what excludes what, what explains what, what belongs beside what.
//!
//! Nothing is hidden. A code that must give way says why and is thought less likely; a code that the catalogue asks for
//! beside another is tied to it.

use std::collections::HashMap;

use hysio_model::diagnosis::{Caution, CautionKind, CodeSystem, Companion, Suggestion};

use super::{
    Catalogue,
    catalogue::{
        EntryId, Note, NoteKind,
        reference::{self, Reference},
    },
};

/// A suggestion is certain from this probability on: then weaker ones give way to it.
const CERTAIN: f64 = 0.5;
/// From this probability on a coder would likely give a code, alone or with what belongs beside it.
const LIKELY: f64 = 0.25;
/// From this probability on the best reading of its words is worth tying others to: they are what the text says, however
/// seldom coders give such a code.
const POSSIBLE: f64 = 0.05;
/// What is left of the probability of a code that a certain one excludes or explains.
const GIVES_WAY: f64 = 0.5;
/// The probability of a code that only the catalogue asks for, as a share of that of the code beside it.
const ASKED_FOR: f64 = 0.3;
/// Words of an instruction that holds only sometimes: it is no reason to suggest a code that the text doesn't name.
const CONDITIONS: [&str; 7] = [
    "if ",
    "when ",
    "any ",
    "such as",
    "possible",
    "as needed",
    "associated",
];

/// Codes of how and where something happened are asked for everywhere and can't be guessed.
const EXTERNAL_CAUSES: u8 = 20;

/// What the catalogue's notes say of pairs of codes, read once.
#[derive(Debug)]
pub(super) struct Relations {
    excludes: HashMap<String, Vec<Named>>,
    asks: HashMap<EntryId, Vec<Asked>>,
    /// Beginnings of a diagnosis and of the signs that belong to it.
    signs: Vec<(&'static str, Vec<&'static str>)>,
}

/// A note and the codes in it.
#[derive(Debug)]
struct Named {
    text: String,
    codes: Vec<Reference>,
}

/// The notes of one kind at one entry.
#[derive(Debug)]
struct Asked {
    kind: NoteKind,
    notes: Vec<Named>,
}

impl Relations {
    pub(super) fn new(catalogue: &Catalogue) -> Self {
        let mut excludes = HashMap::new();
        let mut asks: HashMap<EntryId, Vec<Asked>> = HashMap::new();
        let own = (0..).zip(&catalogue.entries);
        for (id, entry) in own {
            insert(&mut excludes, &entry.code, &entry.notes);
            for kind in [
                NoteKind::CodeFirst,
                NoteKind::UseAdditional,
                NoteKind::CodeAlso,
            ] {
                let notes: Vec<Named> = entry
                    .notes
                    .iter()
                    .filter(|note| note.kind == kind)
                    .map(Named::of)
                    .collect();
                if notes.iter().any(|note| !note.codes.is_empty()) {
                    asks.entry(id).or_default().push(Asked { kind, notes });
                }
            }
        }
        for block in &catalogue.blocks {
            insert(
                &mut excludes,
                &block_name(&block.first, &block.last),
                &block.notes,
            );
        }
        for (number, chapter) in (1..).zip(&catalogue.chapters) {
            insert(&mut excludes, &chapter_name(number), &chapter.notes);
        }
        let signs = include_str!("../../data/explained_signs.tsv")
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .map(|(diagnosis, signs)| (diagnosis, signs.split(',').collect()))
            .collect();
        Self {
            excludes,
            asks,
            signs,
        }
    }

    /// Marks, ties and reorders. `suggestions` are best first.
    pub(super) fn apply(&self, catalogue: &Catalogue, suggestions: &mut Vec<Suggestion>) {
        let entries: Vec<Option<EntryId>> = suggestions
            .iter()
            .map(|suggestion| catalogue.find(&suggestion.code).map(|code| code.entry))
            .collect();
        self.exclude(catalogue, &entries, suggestions);
        self.explain(suggestions);
        self.accompany(catalogue, &entries, suggestions);
        sort(suggestions);
    }

    /// Excludes 1: of two codes that are not given together the weaker gives way.
    fn exclude(
        &self,
        catalogue: &Catalogue,
        entries: &[Option<EntryId>],
        suggestions: &mut [Suggestion],
    ) {
        for weaker in 1..suggestions.len() {
            for stronger in 0..weaker {
                let (Some(one), Some(other)) = (entries[stronger], entries[weaker]) else {
                    continue;
                };
                let (strong, weak) = (&suggestions[stronger], &suggestions[weaker]);
                // Of readings of the same words none of which is likely, one will be chosen anyway.
                if strong.probability < LIKELY && overlap(strong, weak) {
                    continue;
                }
                let note = self
                    .note_against(catalogue, one, &weak.code)
                    .or_else(|| self.note_against(catalogue, other, &strong.code));
                let Some((place, text)) = note else { continue };
                let caution = Caution {
                    kind: CautionKind::Excluded,
                    reason: format!(
                        "not together with {}: Excludes 1 at {place}, “{text}”",
                        strong.code
                    ),
                    code: Some(strong.code.clone()),
                };
                let is_certain = strong.probability >= CERTAIN;
                give_way(&mut suggestions[weaker], caution, is_certain);
                break;
            }
        }
    }

    fn note_against(
        &self,
        catalogue: &Catalogue,
        entry: EntryId,
        code: &str,
    ) -> Option<(String, String)> {
        let mut places: Vec<String> = catalogue
            .lineage(entry)
            .map(|entry| entry.code.clone())
            .collect();
        places.extend(
            catalogue
                .block(entry)
                .map(|block| block_name(&block.first, &block.last)),
        );
        places.push(chapter_name(catalogue.entry(entry).chapter));
        places.into_iter().find_map(|place| {
            // A note that holds the code it stands at speaks of what is beside it, not of itself.
            if code.starts_with(place.as_str()) {
                return None;
            }
            let notes = self.excludes.get(&place)?;
            let note = notes
                .iter()
                .find(|note| note.codes.iter().any(|range| range.holds(code)))?;
            Some((place, note.text.clone()))
        })
    }

    /// A sign gives way to the diagnosis that it belongs to.
    fn explain(&self, suggestions: &mut [Suggestion]) {
        for sign in 0..suggestions.len() {
            let code = suggestions[sign].code.clone();
            let diagnosis = suggestions.iter().find(|diagnosis| {
                diagnosis.probability >= CERTAIN && self.has_sign(&diagnosis.code, &code)
            });
            let Some(diagnosis) = diagnosis else { continue };
            let caution = Caution {
                kind: CautionKind::Explained,
                reason: format!("belongs to {}, {}", diagnosis.code, diagnosis.title),
                code: Some(diagnosis.code.clone()),
            };
            give_way(&mut suggestions[sign], caution, true);
        }
    }

    fn has_sign(&self, diagnosis: &str, sign: &str) -> bool {
        self.signs.iter().any(|(prefix, signs)| {
            diagnosis.starts_with(prefix) && signs.iter().any(|prefix| sign.starts_with(prefix))
        })
    }

    /// Ties suggestions that the catalogue asks for beside another, and adds the one code that an unconditional
    /// instruction of a certain suggestion names.
    fn accompany(
        &self,
        catalogue: &Catalogue,
        entries: &[Option<EntryId>],
        suggestions: &mut Vec<Suggestion>,
    ) {
        let mut added: Vec<Suggestion> = Vec::new();
        for (principal, entry) in entries.iter().enumerate() {
            let Some(entry) = *entry else { continue };
            for (place, asked) in self.asked(catalogue, entry) {
                let tied = tie(suggestions, principal, place, asked);
                let principal = &suggestions[principal];
                if !tied
                    && principal.probability >= CERTAIN
                    && principal.cautions.is_empty()
                    && let Some(companion) = asked.for_(catalogue, principal, place)
                    && suggestions
                        .iter()
                        .chain(&added)
                        .all(|known| known.code != companion.code)
                {
                    added.push(companion);
                }
            }
        }
        suggestions.extend(added);
    }

    fn asked<'a>(
        &'a self,
        catalogue: &'a Catalogue,
        entry: EntryId,
    ) -> impl Iterator<Item = (&'a str, &'a Asked)> {
        std::iter::successors(Some(entry), |id| catalogue.entry(*id).parent)
            .filter_map(|id| Some((id, self.asks.get(&id)?)))
            .flat_map(|(id, asked)| {
                let place = catalogue.entry(id).code.as_str();
                asked.iter().map(move |asked| (place, asked))
            })
    }
}

impl Named {
    fn of(note: &Note) -> Self {
        Self {
            text: note.text.clone(),
            codes: reference::parse(&note.text),
        }
    }
}

impl Asked {
    /// The companion that the notes ask for, if they name exactly one code or category and set no condition.
    fn for_(
        &self,
        catalogue: &Catalogue,
        principal: &Suggestion,
        place: &str,
    ) -> Option<Suggestion> {
        // "Code also" is said of what happens to be there as well.
        if self.kind == NoteKind::CodeAlso {
            return None;
        }
        let [note] = self.notes.as_slice() else {
            return None;
        };
        let [range] = note.codes.as_slice() else {
            return None;
        };
        let words = note.text.to_lowercase();
        if CONDITIONS.iter().any(|condition| words.contains(condition)) {
            return None;
        }
        let found = catalogue.find(range.common()?)?;
        if catalogue.entry(found.entry).chapter == EXTERNAL_CAUSES {
            return None;
        }
        let companion = self.companion(principal, place, note);
        let term = format!("{}: {}", companion.relation, note.text);
        Some(Suggestion {
            system: CodeSystem::Icd10Cm,
            code: found.code,
            title: found.title,
            probability: principal.probability * ASKED_FOR,
            billable: found.billable,
            evidence: principal
                .evidence
                .iter()
                .cloned()
                .map(|evidence| hysio_model::diagnosis::Evidence {
                    term: term.clone(),
                    ..evidence
                })
                .collect(),
            companion: Some(companion),
            ..Suggestion::default()
        })
    }

    fn companion(&self, principal: &Suggestion, place: &str, note: &Named) -> Companion {
        Companion {
            of: principal.code.clone(),
            relation: self.kind.label().to_owned(),
            instruction: format!("{} (at {place})", note.text.trim_start_matches([',', ' '])),
        }
    }
}

/// Ties every other suggestion in the notes' ranges to the principal. Whether there is one.
fn tie(suggestions: &mut [Suggestion], principal: usize, place: &str, asked: &Asked) -> bool {
    let mut tied = false;
    let likely = suggestions[principal].probability >= LIKELY;
    if !likely && !is_best_reading(suggestions, principal) {
        return false;
    }
    for at in 0..suggestions.len() {
        if at == principal {
            continue;
        }
        let note = asked.notes.iter().find(|note| {
            note.codes
                .iter()
                .any(|range| range.holds(&suggestions[at].code))
        });
        let Some(note) = note else { continue };
        tied = true;
        if suggestions[at].companion.is_none() {
            suggestions[at].companion = Some(asked.companion(&suggestions[principal], place, note));
        }
    }
    tied
}

/// Whether it is possible and no other suggestion for the same words is more probable.
fn is_best_reading(suggestions: &[Suggestion], at: usize) -> bool {
    let own = &suggestions[at];
    own.probability >= POSSIBLE
        && suggestions
            .iter()
            .all(|other| other.probability <= own.probability || !overlap(own, other))
}

fn overlap(a: &Suggestion, b: &Suggestion) -> bool {
    a.evidence.iter().any(|one| {
        b.evidence
            .iter()
            .any(|other| one.start < other.end && other.start < one.end)
    })
}

fn give_way(suggestion: &mut Suggestion, caution: Caution, is_certain: bool) {
    suggestion.cautions.push(caution);
    if is_certain {
        suggestion.probability *= GIVES_WAY;
    }
}

/// Most probable first; of equals the lower code.
pub(super) fn sort(suggestions: &mut [Suggestion]) {
    suggestions.sort_by(|a, b| {
        b.probability
            .total_cmp(&a.probability)
            .then_with(|| a.code.cmp(&b.code))
    });
}

fn insert(excludes: &mut HashMap<String, Vec<Named>>, place: &str, notes: &[Note]) {
    let found: Vec<Named> = notes
        .iter()
        .filter(|note| note.kind == NoteKind::Excludes1)
        .map(Named::of)
        .filter(|note| !note.codes.is_empty())
        .collect();
    if !found.is_empty() {
        excludes.insert(place.to_owned(), found);
    }
}

fn block_name(first: &str, last: &str) -> String {
    format!("{first}-{last}")
}

fn chapter_name(number: u8) -> String {
    format!("chapter {number}")
}
