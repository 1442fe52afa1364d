//! Our own list of names that the tabular list lacks: eponyms, enzymes of inborn errors, older and lay names.

use super::{Catalogue, EntryId, TermKind};

/// The names whose code is in this release.
pub(super) fn own_terms(catalogue: &Catalogue) -> Vec<(String, EntryId, TermKind)> {
    include_str!("../../../data/own_terms.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('\t'))
        .filter_map(|(code, names)| Some((catalogue.find(code)?.entry, names)))
        .flat_map(|(entry, names)| {
            names
                .split('|')
                .map(move |name| (name.to_owned(), entry, TermKind::Own))
        })
        .collect()
}
