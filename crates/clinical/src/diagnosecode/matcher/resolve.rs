//! From an entry that a text names to the code that can be billed: the side, the default below a category, the
//! encounter.

use std::collections::HashSet;

use crate::diagnosecode::{
    Catalogue,
    catalogue::{Code, EntryId, Seventh},
    text::{Analyzer, Token},
};

/// Said of a later visit for the same injury.
const SUBSEQUENT: [&str; 8] = [
    "subsequ",
    "followup",
    "aftercar",
    "heal",
    "recheck",
    "control",
    "routin",
    "rehabilit",
];
/// Said of what an old injury left behind.
const SEQUELA: [&str; 5] = ["sequela", "sequel", "late", "residu", "old"];

/// Completes an entry to the most specific code that the text supports.
pub(crate) fn resolve(
    catalogue: &Catalogue,
    analyzer: &Analyzer,
    entry: EntryId,
    tokens: &[Token],
) -> Code {
    let said: HashSet<&str> = tokens.iter().map(|token| token.stem.as_str()).collect();
    let leaf = descend(catalogue, analyzer, entry, &said);
    let seventh = seventh(catalogue.seventh_set(leaf), &said);
    catalogue.code(leaf, seventh)
}

/// Goes down to the child whose own words the text says most of and which adds least that is unsaid; where the
/// classification has a default ("unspecified", "without complications"), to that.
fn descend(
    catalogue: &Catalogue,
    analyzer: &Analyzer,
    from: EntryId,
    said: &HashSet<&str>,
) -> EntryId {
    let mut at = from;
    loop {
        let own: HashSet<String> = stems(catalogue, analyzer, at);
        let best = catalogue
            .children(at)
            .into_iter()
            .map(|child| (fit(catalogue, analyzer, child, &own, said), child))
            .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
        match best {
            Some((fit, child)) if fit > 0.0 => at = child,
            Some(_) | None => return at,
        }
    }
}

/// How well a child suits: above zero if it says nothing that the text does not.
fn fit(
    catalogue: &Catalogue,
    analyzer: &Analyzer,
    child: EntryId,
    own: &HashSet<String>,
    said: &HashSet<&str>,
) -> f32 {
    let entry = catalogue.entry(child);
    let mut fit = 0.0;
    let mut unsaid = 0.0;
    for stem in stems(catalogue, analyzer, child) {
        if said.contains(stem.as_str()) {
            if !own.contains(&stem) {
                fit += 1.0;
            }
        } else if !own.contains(&stem) && !is_filler(&stem) {
            unsaid += 0.4;
        }
    }
    let title = entry.title.to_lowercase();
    let is_default = title.contains("unspecified")
        || title.contains("without")
        || title.contains("uncomplicated")
        || entry.code.ends_with('9');
    if fit > unsaid {
        return 1.0 + fit - unsaid;
    }
    if is_default {
        return 0.9 - 0.05 * unsaid;
    }
    0.0
}

fn stems(catalogue: &Catalogue, analyzer: &Analyzer, entry: EntryId) -> HashSet<String> {
    analyzer
        .term(&catalogue.entry(entry).title)
        .into_iter()
        .map(|token| token.stem)
        .collect()
}

fn is_filler(stem: &str) -> bool {
    matches!(
        stem,
        "unspecifi" | "other" | "specifi" | "without" | "complic"
    )
}

fn seventh<'a>(set: &'a [Seventh], said: &HashSet<&str>) -> Option<&'a Seventh> {
    let wanted = if SEQUELA.iter().any(|stem| said.contains(stem)) {
        'S'
    } else if SUBSEQUENT.iter().any(|stem| said.contains(stem)) {
        'D'
    } else {
        'A'
    };
    set.iter()
        .find(|seventh| seventh.character == wanted)
        .or_else(|| set.first())
}
