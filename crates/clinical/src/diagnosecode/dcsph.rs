//! DCSPH, the Dutch codes of paramedical care: two digits of body location and two of pathology.
//!
//! The tables are `data/dcsph.tsv`; locations 37 to 71 are missing there (see its README), so a text about a shoulder
//! or a knee is given its pathology alone, which is not billable.

use std::collections::HashMap;

use hysio_model::diagnosis::{CodeSystem, Evidence, Suggestion};

use super::{
    catalogue::Code,
    text::{Scope, Word, asserted, dutch_stem, scopes, sentences, words},
};

/// Least share of a term that the text must hold.
const COVER_MIN: f64 = 0.5;
/// Pathologies and locations that are combined.
const KEPT_MAX: usize = 10;
const LOCATIONS_MAX: usize = 3;
/// Function words of the tables and of notes.
const STOP_WORDS: &str = "de het een van en of in op bij met na zonder incl inclusief uitgezonderd niet genoemd onder t m \
    overige nog aan te door aandoening aandoeningen ziekte ziekten klacht last sinds patient";
/// Words of surgery: with them the surgical pathologies come first, without them last.
const SURGERY: [&str; 7] = [
    "postoperatief",
    "postoperatieve",
    "operatie",
    "geopereerd",
    "operatief",
    "plastiek",
    "prothese",
];
/// Pathologies of the surgical group.
const SURGICAL: &str = "chirurgie";

#[derive(Debug)]
pub(super) struct Dcsph {
    locations: Table,
    pathologies: Table,
}

#[derive(Debug, Default)]
struct Table {
    rows: Vec<Row>,
    /// In how many rows a stem stands.
    frequency: HashMap<String, u16>,
}

#[derive(Debug)]
struct Row {
    code: String,
    title: String,
    group: String,
    terms: Vec<Term>,
    /// Of the title and the everyday names.
    words: Vec<String>,
}

#[derive(Debug)]
struct Term {
    text: String,
    stems: Vec<String>,
}

/// A row that the text names.
#[derive(Clone)]
struct Found<'a> {
    row: &'a Row,
    term: &'a str,
    score: f64,
    ranges: Vec<(usize, usize)>,
}

impl Dcsph {
    pub(super) fn new() -> Self {
        let mut dcsph = Self {
            locations: Table::default(),
            pathologies: Table::default(),
        };
        for line in include_str!("../../data/dcsph.tsv").lines().skip(1) {
            let mut columns = line.split('\t');
            if let (Some(table), Some(code), Some(title), Some(group)) = (
                columns.next(),
                columns.next(),
                columns.next(),
                columns.next(),
            ) {
                dcsph.table(table).add(code, title, group);
            }
        }
        for line in include_str!("../../data/dcsph_terms.tsv").lines() {
            let mut columns = line.split('\t');
            if let (Some(table), Some(code), Some(terms)) =
                (columns.next(), columns.next(), columns.next())
            {
                dcsph.table(table).name(code, terms);
            }
        }
        dcsph.locations.count();
        dcsph.pathologies.count();
        dcsph
    }

    fn table(&mut self, name: &str) -> &mut Table {
        if name == "location" {
            &mut self.locations
        } else {
            &mut self.pathologies
        }
    }

    /// `3427` is location 34 with pathology 27; two digits alone are a pathology.
    pub(super) fn find(&self, code: &str) -> Option<Code> {
        let (location, pathology) = match code.len() {
            2 => (None, code),
            4 => (Some(self.locations.row(code.get(..2)?)?), code.get(2..)?),
            _ => return None,
        };
        let pathology = self.pathologies.row(pathology)?;
        Some(Code {
            entry: 0,
            code: code.to_owned(),
            title: title(location, pathology),
            billable: location.is_some(),
        })
    }

    /// Codes as they are typed: by their digits, or by words of a location, a pathology or both.
    pub(super) fn search(&self, typed: &str, limit: usize) -> Vec<Code> {
        let typed = typed.trim();
        if !typed.is_empty() && typed.chars().all(|digit| digit.is_ascii_digit()) {
            let (whole, alone): (Vec<String>, Vec<String>) = self
                .all()
                .map(|(code, _)| code)
                .filter(|code| code.starts_with(typed))
                .partition(|code| code.len() > 2);
            return whole
                .iter()
                .chain(&alone)
                .take(limit)
                .filter_map(|code| self.find(code))
                .collect();
        }
        let wanted: Vec<String> = words(typed).into_iter().map(|word| word.text).collect();
        if wanted.is_empty() {
            return Vec::new();
        }
        let mut found: Vec<Code> = self
            .all()
            .filter(|(_, said)| {
                wanted
                    .iter()
                    .all(|word| said.iter().any(|known| known.starts_with(word.as_str())))
            })
            .take(limit)
            .filter_map(|(code, _)| self.find(&code))
            .collect();
        for suggestion in self.suggest(typed) {
            if found.iter().all(|known| known.code != suggestion.code) {
                found.extend(self.find(&suggestion.code));
            }
        }
        found.truncate(limit);
        found
    }

    /// Every code with the words that name it: pathologies alone, then each at each location.
    fn all(&self) -> impl Iterator<Item = (String, Vec<&String>)> {
        let alone = self
            .pathologies
            .rows
            .iter()
            .map(|row| (row.code.clone(), row.words.iter().collect()));
        let placed = self.locations.rows.iter().flat_map(|location| {
            self.pathologies.rows.iter().map(move |pathology| {
                let said = location.words.iter().chain(&pathology.words).collect();
                (location.code.clone() + &pathology.code, said)
            })
        });
        alone.chain(placed)
    }

    /// Pathologies that the text names, each at the locations that it names.
    pub(super) fn suggest(&self, text: &str) -> Vec<Suggestion> {
        let words = words(text);
        let present: Vec<&Word> = sentences(&words)
            .into_iter()
            .flat_map(|sentence| {
                let scopes = scopes(sentence);
                sentence
                    .iter()
                    .filter(move |word| is_present(&scopes, word))
                    .collect::<Vec<_>>()
            })
            .collect();
        let surgical = present
            .iter()
            .any(|word| SURGERY.iter().any(|said| word.text.ends_with(said)));
        let mut pathologies = self.pathologies.find_in(&present);
        for found in &mut pathologies {
            if (found.row.group == SURGICAL) != surgical {
                found.score *= 0.6;
            }
        }
        sort(&mut pathologies);
        pathologies.truncate(KEPT_MAX);
        let mut locations = self.locations.find_in(&present);
        sort(&mut locations);
        locations.truncate(LOCATIONS_MAX);
        let mut suggestions = combined(text, &pathologies, &locations);
        suggestions.sort_by(|a, b| {
            b.probability
                .total_cmp(&a.probability)
                .then_with(|| a.code.cmp(&b.code))
        });
        suggestions
    }
}

fn is_present(scopes: &[Scope], word: &Word) -> bool {
    asserted(scopes, word.start, word.end).is_none_or(|assertion| !assertion.is_absent())
}

impl Table {
    fn add(&mut self, code: &str, title: &str, group: &str) {
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

    fn name(&mut self, code: &str, terms: &str) {
        if let Some(row) = self.rows.iter_mut().find(|row| row.code == code) {
            row.terms.extend(terms.split('|').map(Term::new));
            row.words
                .extend(words(terms).into_iter().map(|word| word.text));
        }
    }

    fn count(&mut self) {
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

    fn row(&self, code: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.code == code)
    }

    fn find_in(&self, words: &[&Word]) -> Vec<Found<'_>> {
        let stems: Vec<String> = words.iter().map(|word| dutch_stem(&word.text)).collect();
        self.rows
            .iter()
            .filter_map(|row| {
                row.terms
                    .iter()
                    .filter_map(|term| self.covered(row, term, words, &stems))
                    .max_by(|a, b| a.score.total_cmp(&b.score))
            })
            .collect()
    }

    fn covered<'a>(
        &self,
        row: &'a Row,
        term: &'a Term,
        words: &[&Word],
        stems: &[String],
    ) -> Option<Found<'a>> {
        let (mut covered, mut whole, mut ranges) = (0.0, 0.0, Vec::new());
        for wanted in &term.stems {
            let weight = self.weight(wanted);
            whole += weight;
            let best = (0..stems.len())
                .map(|at| (alike(wanted, &stems[at]), at))
                .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)))
                .filter(|(likeness, _)| *likeness > 0.0);
            if let Some((likeness, at)) = best {
                covered += weight * likeness;
                ranges.push((words[at].start, words[at].end));
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
    let similarity = strsim::normalized_damerau_levenshtein(wanted, said);
    if similarity >= 0.8 { similarity } else { 0.0 }
}

fn combined(text: &str, pathologies: &[Found<'_>], locations: &[Found<'_>]) -> Vec<Suggestion> {
    let best = locations.first().map_or(1.0, |found| found.score);
    let mut suggestions = Vec::new();
    for pathology in pathologies {
        if locations.is_empty() {
            suggestions.push(suggestion(text, None, pathology, pathology.score));
        }
        for location in locations {
            let score = pathology.score * location.score / best.max(f64::EPSILON);
            suggestions.push(suggestion(text, Some(location), pathology, score));
        }
    }
    suggestions
}

fn suggestion(
    text: &str,
    location: Option<&Found<'_>>,
    pathology: &Found<'_>,
    score: f64,
) -> Suggestion {
    let code =
        location.map_or(String::new(), |location| location.row.code.clone()) + &pathology.row.code;
    let evidence = location
        .into_iter()
        .chain([pathology])
        .flat_map(|found| {
            found.ranges.iter().map(|(start, end)| Evidence {
                start: *start,
                end: *end,
                text: text.chars().skip(*start).take(end - start).collect(),
                term: found.term.to_owned(),
            })
        })
        .collect();
    Suggestion {
        system: CodeSystem::Dcsph,
        code,
        title: title(location.map(|location| location.row), pathology.row),
        probability: score.clamp(0.0, 1.0) * 0.8,
        billable: location.is_some(),
        evidence,
        ..Suggestion::default()
    }
}

fn title(location: Option<&Row>, pathology: &Row) -> String {
    match location {
        Some(location) => format!("{}: {}", location.title, pathology.title),
        None => format!("{} (lichaamslocatie ontbreekt)", pathology.title),
    }
}

fn sort(found: &mut [Found<'_>]) {
    found.sort_by(|a, b| {
        b.score
            .total_cmp(&a.score)
            .then_with(|| a.row.code.cmp(&b.row.code))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &str) -> Option<String> {
        Dcsph::new()
            .suggest(text)
            .into_iter()
            .next()
            .map(|suggestion| suggestion.code)
    }

    #[test]
    fn location_and_pathology_make_the_code() {
        assert_eq!(first("verzwikte enkel links").as_deref(), Some("7231"));
        assert_eq!(first("hernia lage rug").as_deref(), Some("3427"));
        assert_eq!(first("whiplash, nekklachten nek").as_deref(), Some("3038"));
    }

    #[test]
    fn without_a_known_location_the_pathology_stands_alone_and_is_not_billable() {
        let suggestions = Dcsph::new().suggest("artrose van de knie");
        assert_eq!(suggestions[0].code, "23");
        assert!(!suggestions[0].billable);
    }

    #[test]
    fn what_is_denied_is_not_coded() {
        assert_eq!(first("geen fractuur"), None);
    }

    #[test]
    fn a_code_is_found_by_its_digits() {
        let dcsph = Dcsph::new();
        assert_eq!(
            dcsph.find("3423").unwrap().title,
            "Lumbale wervelkolom: Artrose"
        );
        assert!(dcsph.find("4423").is_none());
        assert!(dcsph.find("34é").is_none());
    }
}
