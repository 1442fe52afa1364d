//! DCSPH, the Dutch codes of paramedical care: two digits of body location and two of pathology.
//!
//! The tables are `data/dcsph.tsv`; locations 37 to 71 are missing there (see its README), so a text about a shoulder
//! or a knee is given its pathology alone, which is not billable.

mod table;

use hysio_model::diagnosis::{CodeSystem, Evidence, Suggestion};

use super::{
    catalogue::Code,
    text::{Scope, Word, asserted, scopes, sentences, words},
};
use table::{Found, Row, Table, sort};

/// Pathologies and locations that are combined.
const KEPT_MAX: usize = 10;
const LOCATIONS_MAX: usize = 3;
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
    fn every_row_of_the_tables_is_found_and_makes_a_code() {
        let dcsph = Dcsph::new();
        let rows = include_str!("../../data/dcsph.tsv").lines().skip(1);
        let (locations, pathologies): (Vec<_>, Vec<_>) = rows
            .filter_map(|row| row.split_once('\t'))
            .partition(|(table, _)| *table == "location");
        let code = |(_, row): &(&str, &str)| row.split('\t').next().unwrap_or_default().to_owned();
        assert_eq!((locations.len(), pathologies.len()), (31, 89));
        for location in &locations {
            for pathology in &pathologies {
                let whole = code(location) + &code(pathology);
                assert!(
                    dcsph.find(&whole).is_some_and(|found| found.billable),
                    "{whole}"
                );
            }
        }
    }

    #[test]
    fn a_word_said_over_and_over_counts_where_it_is_first_said() {
        let found = Dcsph::new().suggest(&"artrose lage rug ".repeat(5_000));
        assert_eq!(found[0].code, "3423");
        assert!(found[0].evidence.iter().all(|evidence| evidence.end <= 16));
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
