//! Which codes were given to texts in which words stood together: shipped counts of coded cases. They find what a text
//! says in other words than the classification, and tell how much to trust what it says in the same ones.

use std::collections::HashMap;

use super::priors::{Priors, category, log_odds};
use crate::diagnosecode::text::{Scope, Token, is_present};

/// Words of a run.
const RUN_WORDS_MAX: usize = 3;
/// Texts that a code's own share is worth where the texts with a run are counted.
const WORTH: f32 = 3.0;
/// A run says something of a code if the code is this much likelier with it, and at least this likely.
const LIFT_MIN: f32 = 1.5;
const SHARE_MIN: f32 = 0.05;
/// Keeps log-odds finite.
const CERTAIN: f32 = 0.98;
const NEVER: f32 = 1e-4;
/// Runs whose mean counts.
const MEAN_OF: usize = 3;
/// Places of a run that are kept as evidence.
const PLACES_MAX: usize = 32;

/// Runs of stems with what was counted of them.
#[derive(Debug)]
pub(super) struct Associations {
    runs: HashMap<&'static str, Run>,
}

#[derive(Debug)]
struct Run {
    /// Texts that have the run.
    texts: f32,
    /// `code:texts` for codes and categories, parted by blanks.
    codes: &'static str,
}

/// What the words of a note say of the codes beside the catalogue's terms.
#[derive(Debug, Default)]
pub(super) struct Associated {
    /// By code without dot and seventh character.
    pub codes: HashMap<&'static str, Association>,
    categories: HashMap<&'static str, f32>,
    /// Present words of the note.
    pub words: usize,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Association {
    /// Share of the texts with the run that had the code.
    pub share: f32,
    /// In how many texts both stood.
    pub texts: f32,
    pub lift: f32,
    pub mean: f32,
    /// Where the run stands: the sentence, and ranges of the text.
    pub sentence: usize,
    pub places: Vec<(usize, usize)>,
}

/// Where a run stands in a note.
struct Places {
    sentence: usize,
    ranges: Vec<(usize, usize)>,
}

impl Associations {
    pub(super) fn shipped() -> Self {
        let mut runs = HashMap::new();
        for line in include_str!("../../../data/code_associations.tsv").lines() {
            if let [run, texts, codes] = line.split('\t').collect::<Vec<_>>()[..]
                && let Ok(texts) = texts.parse()
            {
                runs.insert(run, Run { texts, codes });
            }
        }
        Self { runs }
    }

    /// What the present words of the sentences say. Order of sentences or words does not change the numbers.
    pub(super) fn of(&self, priors: &Priors, sentences: &[(Vec<Token>, Vec<Scope>)]) -> Associated {
        let mut associated = Associated::default();
        let mut found: HashMap<&'static str, Vec<(f32, f32, f32, &'static str)>> = HashMap::new();
        let places = self.places(sentences, &mut associated.words);
        for run in places.keys() {
            let counted = &self.runs[run];
            for (code, both) in codes(counted.codes) {
                let share = priors.share(code);
                let given = (both + WORTH * share) / (counted.texts + WORTH);
                if given < share * LIFT_MIN || given < SHARE_MIN {
                    continue;
                }
                if let Some(category) = code.strip_suffix('*') {
                    let known = associated.categories.entry(category).or_default();
                    *known = known.max(given);
                } else {
                    let lift = log_odds(given.min(CERTAIN)) - log_odds(share.max(NEVER));
                    found
                        .entry(code)
                        .or_default()
                        .push((given, both, lift, run));
                }
            }
        }
        for (code, mut runs) in found {
            runs.sort_by(|a, b| {
                (b.0.total_cmp(&a.0))
                    .then(b.1.total_cmp(&a.1))
                    .then(b.2.total_cmp(&a.2))
                    .then(b.3.len().cmp(&a.3.len()))
                    .then(a.3.cmp(b.3))
            });
            let (share, texts, lift, run) = runs[0];
            let sum: f32 = runs.iter().take(MEAN_OF).map(|run| run.0).sum();
            associated.codes.insert(
                code,
                Association {
                    share,
                    texts,
                    lift,
                    mean: sum / 3.0,
                    sentence: places[run].sentence,
                    places: places[run].ranges.clone(),
                },
            );
        }
        associated
    }

    /// The counted runs that stand in the sentences, and the number of present words.
    fn places(
        &self,
        sentences: &[(Vec<Token>, Vec<Scope>)],
        words: &mut usize,
    ) -> HashMap<&'static str, Places> {
        let mut places: HashMap<&'static str, Places> = HashMap::new();
        for (number, (tokens, scopes)) in sentences.iter().enumerate() {
            let present: Vec<&Token> = tokens
                .iter()
                .filter(|token| is_present(scopes, token.start, token.end))
                .collect();
            *words += present.len();
            for first in 0..present.len() {
                let mut run = String::new();
                for token in present[first..].iter().take(RUN_WORDS_MAX) {
                    if !run.is_empty() {
                        run.push(' ');
                    }
                    run.push_str(&token.stem);
                    let Some((known, _)) = self.runs.get_key_value(run.as_str()) else {
                        continue;
                    };
                    let place = places.entry(known).or_insert_with(|| Places {
                        sentence: number,
                        ranges: Vec::new(),
                    });
                    if place.ranges.len() < PLACES_MAX {
                        place.ranges.push((present[first].start, token.end));
                    }
                }
            }
        }
        places
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.runs.len()
    }
}

impl Associated {
    /// How likely the category is by the run that says most of it.
    pub(super) fn category(&self, code: &str) -> f32 {
        self.categories
            .get(category(code))
            .copied()
            .unwrap_or_default()
    }
}

fn codes(list: &'static str) -> impl Iterator<Item = (&'static str, f32)> {
    list.split(' ').filter_map(|pair| {
        let (code, both) = pair.split_once(':')?;
        Some((code, both.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosecode::text::{Analyzer, scopes, words};

    fn associated(text: &str) -> Associated {
        let words = words(text);
        let sentence = (Analyzer::english().text(&words), scopes(&words));
        Associations::shipped().of(&Priors::shipped(), &[sentence])
    }

    #[test]
    fn the_words_that_speak_for_a_code_are_pointed_at() {
        let found = associated("known for arterial hypertension");
        let hypertension = &found.codes["I10"];
        assert!(hypertension.share > 0.5, "{hypertension:?}");
        assert!(hypertension.places.contains(&(19, 31)), "{hypertension:?}");
        assert!(found.category("I10") > 0.5);
    }

    #[test]
    fn denied_words_speak_for_nothing() {
        assert!(!associated("no hypertension").codes.contains_key("I10"));
    }

    #[test]
    fn the_shipped_counts_can_be_read() {
        assert!(Associations::shipped().len() > 1000);
    }
}
