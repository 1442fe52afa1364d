//! From an entry that a text names to the code that can be billed: the side, the default below a category, the
//! encounter.

use std::collections::HashSet;

use super::Matcher;
use crate::diagnosecode::{
    Catalogue,
    catalogue::{Code, Entry, EntryId, Seventh},
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

impl Matcher {
    /// Completes an entry to the most specific code that the text's stems support.
    pub(crate) fn resolve(
        &self,
        catalogue: &Catalogue,
        entry: EntryId,
        said: &HashSet<&str>,
    ) -> Code {
        let leaf = self.descend(catalogue, entry, said);
        let seventh = seventh(catalogue.seventh_set(leaf), said);
        catalogue.code(leaf, seventh)
    }

    /// Goes down to the child whose own words the text says most of and which adds least that is unsaid; where the
    /// classification has a default ("unspecified", "without complications"), to that.
    fn descend(&self, catalogue: &Catalogue, from: EntryId, said: &HashSet<&str>) -> EntryId {
        let mut at = from;
        loop {
            let own: HashSet<&str> = self.title(catalogue, at).collect();
            let best = catalogue
                .children(at)
                .into_iter()
                .map(|child| (self.fit(catalogue, child, &own, said), child))
                .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
            match best {
                Some((fit, child)) if fit > 0.0 => at = child,
                Some(_) | None => return at,
            }
        }
    }

    /// How well a child suits: above zero if it says nothing that the text does not.
    fn fit(
        &self,
        catalogue: &Catalogue,
        child: EntryId,
        own: &HashSet<&str>,
        said: &HashSet<&str>,
    ) -> f32 {
        let mut fit = 0.0;
        let mut unsaid = 0.0;
        for stem in self
            .title(catalogue, child)
            .filter(|stem| !own.contains(stem))
        {
            if said.contains(stem) {
                fit += 1.0;
            } else if !is_filler(stem) {
                unsaid += 0.4;
            }
        }
        if fit > unsaid {
            return 1.0 + fit - unsaid;
        }
        if is_default(catalogue.entry(child)) {
            return 0.9 - 0.05 * unsaid;
        }
        0.0
    }

    fn title<'a>(&self, catalogue: &'a Catalogue, entry: EntryId) -> impl Iterator<Item = &'a str> {
        let stems = catalogue.terms.stems();
        self.titles[entry as usize]
            .into_iter()
            .flat_map(|term| catalogue.terms.tokens(term))
            .map(|token| stems[token.stem as usize].as_str())
    }
}

fn is_default(entry: &Entry) -> bool {
    let title = entry.title.to_lowercase();
    ["unspecified", "without", "uncomplicated"]
        .iter()
        .any(|word| title.contains(word))
        || entry.code.ends_with('9')
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
