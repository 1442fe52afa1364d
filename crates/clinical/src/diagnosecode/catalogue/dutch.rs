//! Dutch titles of WHO ICD-10, from a file that the user has: the translation may not be shipped.
//!
//! The file is ClaML (the classification's XML) or a table of two columns, code and title, parted by tabs, semicolons or
//! commas. Titles of codes that ICD-10-CM lacks are left out. They are analysed as a Dutch text is, so that what a
//! clinician says in those words meets them.

use std::collections::{BTreeMap, HashSet};

use roxmltree::{Document, Node, ParsingOptions};

use super::{Catalogue, EntryId, Error, TermKind, source::Named, terms::Draft};
use crate::diagnosecode::text::{Analyzer, Dutch, TermToken, Translated, words};

/// The title of each entry that the file has one for, ascending.
pub(super) fn titles(catalogue: &Catalogue, file: &Named) -> Result<Vec<(EntryId, String)>, Error> {
    let malformed = |line, reason: &str| Error::Malformed {
        name: file.name.clone(),
        line,
        reason: reason.to_owned(),
    };
    let text = std::str::from_utf8(&file.bytes).map_err(|_| malformed(1, "not UTF-8"))?;
    let text = text.trim_start_matches('\u{feff}');
    let rows = if text.trim_start().starts_with('<') {
        claml(text).map_err(|line| malformed(line, "not well-formed XML"))?
    } else {
        table(text)
    };
    let found: BTreeMap<EntryId, String> = rows
        .into_iter()
        .filter_map(|(code, title)| Some((catalogue.find(&code)?.entry, title)))
        .collect();
    if found.is_empty() {
        return Err(malformed(
            1,
            "no code of ICD-10-CM with a title: expected ClaML, or rows of a code and a title",
        ));
    }
    Ok(found.into_iter().collect())
}

/// The titles as terms, next to the English ones.
pub(super) fn drafts(titles: &[(EntryId, String)], english: &[Draft]) -> Vec<Draft> {
    let known: HashSet<&str> = english
        .iter()
        .flat_map(|draft| &draft.tokens)
        .map(|token| token.stem.as_str())
        .collect();
    let mut stems: Vec<String> = known.iter().map(|&stem| stem.to_owned()).collect();
    stems.sort_unstable();
    let (analyzer, dutch) = (Analyzer::english(), Dutch::new(&stems));
    titles
        .iter()
        .map(|(entry, title)| {
            let mut tokens: Vec<TermToken> = Vec::new();
            let mut translated = Translated::default();
            let translation = analyzer.dutch_text(&dutch, &words(title), &mut translated, |stem| {
                known.contains(stem)
            });
            for token in translation {
                if tokens.iter().all(|known| known.stem != token.stem) {
                    tokens.push(TermToken {
                        stem: token.stem,
                        optional: token.bracketed,
                    });
                }
            }
            Draft {
                text: title.clone(),
                entry: *entry,
                kind: TermKind::Inclusion,
                tokens,
            }
        })
        .filter(|draft| draft.tokens.iter().any(|token| !token.optional))
        .collect()
}

/// `<Class code="A00"><Rubric kind="preferred"><Label>Cholera</Label></Rubric></Class>`; an error is its line.
fn claml(text: &str) -> Result<Vec<(String, String)>, u32> {
    let options = ParsingOptions {
        allow_dtd: true,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(text, options).map_err(|error| error.pos().row)?;
    let rows = document
        .descendants()
        .filter(|node| node.has_tag_name("Class"))
        .filter_map(|class| {
            let code = class.attribute("code")?;
            let preferred = class
                .children()
                .find(|node| node.attribute("kind") == Some("preferred"))?;
            let label = preferred
                .descendants()
                .find(|node| node.has_tag_name("Label"))?;
            let title: String = label
                .descendants()
                .filter(Node::is_text)
                .filter_map(|node| node.text())
                .collect();
            row(code, &title)
        })
        .collect();
    Ok(rows)
}

fn table(text: &str) -> Vec<(String, String)> {
    text.lines()
        .filter_map(|line| line.split_once(['\t', ';', ',']))
        .filter_map(|(code, title)| {
            row(
                code.trim().trim_matches('"'),
                title.trim().trim_matches('"'),
            )
        })
        .collect()
}

fn row(code: &str, title: &str) -> Option<(String, String)> {
    let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
    (!title.is_empty()).then(|| (code.trim_end_matches(['.', '-']).to_owned(), title))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claml_and_tables_are_read_alike() {
        let xml = r#"<?xml version="1.0"?><ClaML><Class code="M10" kind="category"><SubClass code="M10.0"/>
            <Rubric kind="preferred"><Label xml:lang="nl">Jicht</Label></Rubric>
            <Rubric kind="inclusion"><Label>iets anders</Label></Rubric></Class></ClaML>"#;
        let expected = vec![("M10".to_owned(), "Jicht".to_owned())];
        assert_eq!(claml(xml), Ok(expected.clone()));
        for text in [
            "M10\tJicht\n",
            "M10;Jicht\r\n",
            "\"M10\",\"Jicht\"\n",
            "M10.-;  Jicht \n\n",
        ] {
            assert_eq!(table(text), expected, "{text}");
        }
    }

    #[test]
    fn broken_xml_is_named_by_its_line() {
        assert_eq!(claml("<ClaML>\n<Class>\n</ClaML>"), Err(3));
    }
}
