//! Learning from use: what a facility accepted and rejected moves its ranking. Pure; what was learnt comes from the caller.
//!
//! A lesson is a count. `accepted` of `accepted + rejected` estimates how often a code is right where it is suggested, so
//! it is shrunk towards the ranking's own probability `p`, which counts as [`PRIOR_WEIGHT`] decisions:
//! `(PRIOR_WEIGHT · p + accepted) / (PRIOR_WEIGHT + decided)`. Words for which a clinician added a code by hand suggest that
//! code where they are said again, with `(accepted + 1) / (decided + 2)` (Laplace's rule of succession).

use std::collections::{HashMap, HashSet};

use hysio_model::{
    Specialty,
    diagnosis::{CodeSystem, Evidence, Learnt, Suggestion},
};
use serde::{Deserialize, Serialize};

use super::{
    coherence::sort,
    text::{Word, asserted, dutch_stem, scopes, sentences, stem, words},
};

/// How many decisions the ranking's own probability is worth.
const PRIOR_WEIGHT: f64 = 8.0;
/// From this many decisions on a specialty is judged by its own; with fewer, by all of the facility.
const OWN_DECISIONS_MIN: u32 = 3;
/// Longer phrases are sentences: they don't come again.
const PHRASE_WORDS_MAX: usize = 8;
const PHRASE_CHARS_MIN: usize = 3;
/// Places of a phrase that are shown.
const PLACES_MAX: usize = 8;

/// What one code, or one phrase for a code, was decided to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lesson {
    pub system: CodeSystem,
    pub code: String,
    pub title: String,
    pub billable: bool,
    pub specialty: Option<Specialty>,
    /// As [`normalised`] has it; none for the code however it came up.
    pub phrase: Option<String>,
    pub accepted: u32,
    pub rejected: u32,
    /// Counts that other facilities share rather than this one's own.
    #[serde(default)]
    pub shared: bool,
}

/// A phrase in the form in which it is compared and kept: words in lower case without accents. None if it can't be taught:
/// it has no word, or so many that they are a sentence.
#[must_use]
pub fn normalised(phrase: &str) -> Option<String> {
    let words: Vec<String> = words(phrase).into_iter().map(|word| word.text).collect();
    let letters: usize = words.iter().map(|word| word.chars().count()).sum();
    let fits = (1..=PHRASE_WORDS_MAX).contains(&words.len()) && letters >= PHRASE_CHARS_MIN;
    fits.then(|| words.join(" "))
}

/// Where a text says the phrase, in any of its forms, of the patient now.
#[must_use]
pub fn places(text: &str, phrase: &str) -> Vec<Evidence> {
    Said::new(text).evidence(phrase)
}

/// The suggestions for `text` as the lessons move them, most probable first, at most `limit`.
#[must_use]
pub fn rerank(
    text: &str,
    mut suggestions: Vec<Suggestion>,
    lessons: &[Lesson],
    system: CodeSystem,
    specialty: Option<Specialty>,
    limit: usize,
) -> Vec<Suggestion> {
    let lessons: Vec<&Lesson> = lessons
        .iter()
        .filter(|lesson| lesson.system == system)
        .collect();
    for suggestion in &mut suggestions {
        let of_code = |lesson: &&&Lesson| lesson.phrase.is_none() && lesson.code == suggestion.code;
        if let Some(learnt) = counted(lessons.iter().filter(of_code).copied(), specialty) {
            let own = suggestion.probability * PRIOR_WEIGHT + f64::from(learnt.accepted);
            suggestion.probability = own / (PRIOR_WEIGHT + f64::from(learnt.decided));
            suggestion.learnt = Some(learnt);
        }
    }
    let phrases: Vec<&Lesson> = lessons
        .into_iter()
        .filter(|lesson| lesson.phrase.is_some())
        .collect();
    for taught in Said::new(text).taught(&phrases, specialty) {
        match suggestions
            .iter_mut()
            .find(|known| known.code == taught.code)
        {
            Some(known) if known.probability >= taught.probability => {}
            Some(known) => {
                known.probability = taught.probability;
                known.learnt = taught.learnt;
                // The words that were taught come first: they are why it stands here.
                let mut evidence = taught.evidence;
                let own = std::mem::take(&mut known.evidence);
                let own: Vec<Evidence> = own
                    .into_iter()
                    .filter(|own| !covered(own, &evidence))
                    .collect();
                evidence.extend(own);
                known.evidence = evidence;
            }
            None => suggestions.push(taught),
        }
    }
    sort(&mut suggestions);
    suggestions.truncate(limit);
    suggestions
}

fn covered(own: &Evidence, taught: &[Evidence]) -> bool {
    taught
        .iter()
        .any(|taught| taught.start <= own.start && own.end <= taught.end)
}

/// Adds lessons up: the specialty's own where it has decided often enough, else all.
fn counted<'a>(
    lessons: impl Iterator<Item = &'a Lesson> + Clone,
    specialty: Option<Specialty>,
) -> Option<Learnt> {
    let sum = |lessons: &mut dyn Iterator<Item = &'a Lesson>| {
        let mut learnt = Learnt {
            accepted: 0,
            decided: 0,
            phrase: None,
            shared: false,
        };
        for lesson in lessons {
            learnt.accepted += lesson.accepted;
            learnt.decided += lesson.accepted + lesson.rejected;
            learnt.shared |= lesson.shared;
        }
        learnt
    };
    let own = sum(&mut lessons
        .clone()
        .filter(|lesson| !lesson.shared && specialty.is_some() && lesson.specialty == specialty));
    if own.decided >= OWN_DECISIONS_MIN {
        return Some(own);
    }
    let all = sum(&mut lessons.into_iter());
    (all.decided > 0).then_some(all)
}

/// The words of a text that are said of the patient now, by their stems.
struct Said<'a> {
    text: &'a str,
    words: Vec<Word>,
    present: Vec<bool>,
    /// English and Dutch stem of each word: a phrase may come again in another form in either language.
    stems: Vec<[String; 2]>,
    places: HashMap<String, Vec<usize>>,
}

impl<'a> Said<'a> {
    fn new(text: &'a str) -> Self {
        let words = words(text);
        let present: Vec<bool> = sentences(&words)
            .into_iter()
            .flat_map(|sentence| {
                let scopes = scopes(sentence);
                sentence
                    .iter()
                    .map(|word| asserted(&scopes, word.start, word.end).is_none())
                    .collect::<Vec<_>>()
            })
            .collect();
        let mut known: HashMap<String, [String; 2]> = HashMap::new();
        let stems: Vec<[String; 2]> = words
            .iter()
            .map(|word| {
                known
                    .entry(word.text.clone())
                    .or_insert_with(|| both_stems(&word.text))
                    .clone()
            })
            .collect();
        let mut places: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, stems) in stems.iter().enumerate() {
            for stem in stems.iter().collect::<HashSet<_>>() {
                places.entry(stem.clone()).or_default().push(at);
            }
        }
        Self {
            text,
            words,
            present,
            stems,
            places,
        }
    }

    /// A suggestion for each code that one of the phrases names here.
    fn taught(&self, lessons: &[&Lesson], specialty: Option<Specialty>) -> Vec<Suggestion> {
        let mut groups: HashMap<(&str, &str), Vec<&Lesson>> = HashMap::new();
        for lesson in lessons {
            let phrase = lesson.phrase.as_deref().unwrap_or_default();
            groups
                .entry((phrase, lesson.code.as_str()))
                .or_default()
                .push(lesson);
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_unstable_by_key(|(key, _)| *key);
        groups
            .into_iter()
            .filter_map(|((phrase, _), lessons)| {
                let evidence = self.evidence(phrase);
                let first = *lessons.first()?;
                let learnt = counted(lessons.iter().copied(), specialty)?;
                (!evidence.is_empty()).then(|| Suggestion {
                    system: first.system,
                    code: first.code.clone(),
                    title: first.title.clone(),
                    probability: f64::from(learnt.accepted + 1) / f64::from(learnt.decided + 2),
                    billable: first.billable,
                    evidence,
                    learnt: Some(Learnt {
                        phrase: Some(phrase.to_owned()),
                        ..learnt
                    }),
                    ..Suggestion::default()
                })
            })
            .collect()
    }

    fn evidence(&self, phrase: &str) -> Vec<Evidence> {
        let wanted: Vec<[String; 2]> = phrase.split(' ').map(both_stems).collect();
        let mut starts: Vec<usize> = wanted[0]
            .iter()
            .filter_map(|stem| self.places.get(stem))
            .flatten()
            .copied()
            .collect();
        starts.sort_unstable();
        starts.dedup();
        starts
            .into_iter()
            .filter(|start| self.holds(*start, &wanted))
            .take(PLACES_MAX)
            .map(|start| {
                let (first, last) = (&self.words[start], &self.words[start + wanted.len() - 1]);
                Evidence {
                    start: first.start,
                    end: last.end,
                    text: self
                        .text
                        .chars()
                        .skip(first.start)
                        .take(last.end - first.start)
                        .collect(),
                    term: phrase.to_owned(),
                }
            })
            .collect()
    }

    fn holds(&self, start: usize, wanted: &[[String; 2]]) -> bool {
        wanted.iter().enumerate().all(|(offset, wanted)| {
            let at = start + offset;
            let goes_on = offset == 0 || self.words.get(at).is_some_and(|word| !word.after_stop);
            goes_on
                && self.present.get(at) == Some(&true)
                && self.stems[at]
                    .iter()
                    .zip(wanted)
                    .any(|(said, wanted)| said == wanted)
        })
    }
}

fn both_stems(word: &str) -> [String; 2] {
    [stem(word), dutch_stem(word)]
}
