//! One of the two tables: its rows, and which of them a text names.

use std::collections::{HashMap, HashSet};

use crate::diagnosecode::text::{Word, dutch_stem, words};

/// Least share of a term that the text must hold.
const COVER_MIN: f64 = 0.5;
/// Function words of the tables and of notes.
const STOP_WORDS: &str = "de het een van en of in op bij met na zonder incl inclusief uitgezonderd niet genoemd onder t m \
    overige nog aan te door aandoening aandoeningen ziekte ziekten klacht last sinds patient";
/// Different words of a text that are compared with the tables: more has no note that anybody wrote.
const WORDS_MAX: usize = 2_000;

#[derive(Debug, Default)]
pub(super) struct Table {
    pub rows: Vec<Row>,
    /// In how many rows a stem stands.
    frequency: HashMap<String, u16>,
}

#[derive(Debug)]
pub(super) struct Row {
    pub code: String,
    pub title: String,
    pub group: String,
    pub terms: Vec<Term>,
    /// Of the title and the everyday names.
    pub words: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Term {
    pub text: String,
    stems: Vec<String>,
}

/// A row that the text names.
#[derive(Clone)]
pub(super) struct Found<'a> {
    pub row: &'a Row,
    pub term: &'a str,
    pub score: f64,
    pub ranges: Vec<(usize, usize)>,
}

/// A word of the text, where it is first said.
struct Said {
    stem: String,
    start: usize,
    end: usize,
}

impl Table {
    pub fn add(&mut self, code: &str, title: &str, group: &str) {
        let plain = title.replace("**", "");
        let mut terms: Vec<Term> = plain
            .split(" / ")
            .flat_map(|part| part.split(", "))
            .map(Term::new)
            .collect();
        terms.insert(0, Term::new(&plain));
        self.rows.push(Row {
            code: code.to_owned(),
            title: title.to_owned(),
            group: group.to_owned(),
            words: words(&plain).into_iter().map(|word| word.text).collect(),
            terms,
        });
    }

    pub fn name(&mut self, code: &str, terms: &str) {
        if let Some(row) = self.rows.iter_mut().find(|row| row.code == code) {
            row.terms.extend(terms.split('|').map(Term::new));
            row.words
                .extend(words(terms).into_iter().map(|word| word.text));
        }
    }

    pub fn count(&mut self) {
        for row in &mut self.rows {
            row.terms.retain(|term| !term.stems.is_empty());
            let mut stems: Vec<&String> = row.terms.iter().flat_map(|term| &term.stems).collect();
            stems.sort_unstable();
            stems.dedup();
            for stem in stems {
                *self.frequency.entry(stem.clone()).or_default() += 1;
            }
        }
    }

    pub fn row(&self, code: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.code == code)
    }

    /// The rows that the words name, each by its best term.
    pub fn find_in(&self, words: &[&Word]) -> Vec<Found<'_>> {
        let said = said(words);
        self.rows
            .iter()
            .filter_map(|row| {
                row.terms
                    .iter()
                    .filter_map(|term| self.covered(row, term, &said))
                    .max_by(|a, b| a.score.total_cmp(&b.score))
            })
            .collect()
    }

    fn covered<'a>(&self, row: &'a Row, term: &'a Term, said: &[Said]) -> Option<Found<'a>> {
        let (mut covered, mut whole, mut ranges) = (0.0, 0.0, Vec::new());
        for wanted in &term.stems {
            let weight = self.weight(wanted);
            whole += weight;
            let best = said
                .iter()
                .map(|word| (alike(wanted, &word.stem), word))
                .filter(|(likeness, _)| *likeness > 0.0)
                .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.start.cmp(&a.1.start)));
            if let Some((likeness, word)) = best {
                covered += weight * likeness;
                ranges.push((word.start, word.end));
            }
        }
        let cover = covered / whole.max(f64::EPSILON);
        ranges.sort_unstable();
        ranges.dedup();
        (cover >= COVER_MIN).then(|| Found {
            row,
            term: &term.text,
            score: cover * (1.0 - (-covered).exp()),
            ranges,
        })
    }

    fn weight(&self, stem: &str) -> f64 {
        let held = self.frequency.get(stem).copied().unwrap_or(1);
        (1.0 + 60.0 / f64::from(held.max(1))).ln()
    }
}

impl Term {
    fn new(text: &str) -> Self {
        let stems = words(text)
            .into_iter()
            .filter(|word| !STOP_WORDS.split_whitespace().any(|stop| stop == word.text))
            .map(|word| dutch_stem(&word.text))
            .collect();
        Self {
            text: text.trim().to_owned(),
            stems,
        }
    }
}

/// The different stems of the words, in their order.
fn said(words: &[&Word]) -> Vec<Said> {
    let mut known = HashSet::new();
    words
        .iter()
        .map(|word| Said {
            stem: dutch_stem(&word.text),
            start: word.start,
            end: word.end,
        })
        .filter(|said| known.insert(said.stem.clone()))
        .take(WORDS_MAX)
        .collect()
}

/// 1 for the same stem, less for a misspelt one or the end of a compound, 0 for another.
fn alike(wanted: &str, said: &str) -> f64 {
    if wanted == said {
        return 1.0;
    }
    let shorter = wanted.len().min(said.len());
    if shorter < 5 {
        return 0.0;
    }
    if said.ends_with(wanted) || said.starts_with(wanted) {
        return 0.85;
    }
    // Too many letters more or less: no need to compare them one by one.
    if shorter * 5 < wanted.len().max(said.len()) * 4 {
        return 0.0;
    }
    let similarity = strsim::normalized_damerau_levenshtein(wanted, said);
    if similarity >= 0.8 { similarity } else { 0.0 }
}

/// Best first; of equals the lower code.
pub(super) fn sort(found: &mut [Found<'_>]) {
    found.sort_by(|a, b| {
        b.score
            .total_cmp(&a.score)
            .then_with(|| a.row.code.cmp(&b.row.code))
    });
}
