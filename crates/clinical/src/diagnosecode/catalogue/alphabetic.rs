//! Reads an official alphabetical index that the user has: the XML file of the yearly release, or a table
//! (`path <TAB> nonessential modifiers <TAB> code`, gzip or plain) made from it.

use std::io::Read;

use roxmltree::{Document, Node};

use super::{Error, source::Named};

/// A larger table is no alphabetical index (the official one has 4 MB).
const TABLE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A path through the index: `Abdomen, abdominal > acute`, and the code it leads to.
pub(super) struct Row {
    pub path: String,
    pub modifiers: String,
    pub code: String,
}

pub(super) fn parse(file: &Named) -> Result<Vec<Row>, Error> {
    let text = decode(file)?;
    if text.trim_start().starts_with('<') {
        from_xml(&file.name, &text)
    } else {
        from_table(&file.name, &text)
    }
}

fn decode(file: &Named) -> Result<String, Error> {
    let malformed = |reason: &str| Error::Malformed {
        name: file.name.clone(),
        line: 1,
        reason: reason.to_owned(),
    };
    if !file.bytes.starts_with(&[0x1f, 0x8b]) {
        return String::from_utf8(file.bytes.clone()).map_err(|_| malformed("not UTF-8"));
    }
    let mut text = String::new();
    flate2::read::GzDecoder::new(file.bytes.as_slice())
        .take(TABLE_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|_| malformed("not a gzip file of UTF-8 text"))?;
    Ok(text)
}

fn from_table(name: &str, text: &str) -> Result<Vec<Row>, Error> {
    let mut rows = Vec::new();
    for (line, row) in (2..).zip(text.lines().skip(1)) {
        let mut columns = row.split('\t');
        let (Some(path), Some(modifiers), Some(code)) =
            (columns.next(), columns.next(), columns.next())
        else {
            return Err(Error::Malformed {
                name: name.to_owned(),
                line,
                reason: "fewer than three columns".to_owned(),
            });
        };
        rows.push(Row {
            path: path.to_owned(),
            modifiers: modifiers.to_owned(),
            code: code.to_owned(),
        });
    }
    Ok(rows)
}

fn from_xml(name: &str, text: &str) -> Result<Vec<Row>, Error> {
    let options = roxmltree::ParsingOptions {
        allow_dtd: true,
        ..roxmltree::ParsingOptions::default()
    };
    let document =
        Document::parse_with_options(text, options).map_err(|error| Error::Malformed {
            name: name.to_owned(),
            line: error.pos().row,
            reason: "not well-formed XML".to_owned(),
        })?;
    let mut rows = Vec::new();
    for main in document
        .descendants()
        .filter(|node| node.has_tag_name("mainTerm"))
    {
        descend(main, &mut Vec::new(), &mut rows);
    }
    Ok(rows)
}

fn descend(term: Node<'_, '_>, path: &mut Vec<(String, String)>, rows: &mut Vec<Row>) {
    path.push(title(term));
    for child in term.children() {
        match child.tag_name().name() {
            "code" => rows.push(Row {
                path: join(path.iter().map(|(title, _)| title), " > "),
                modifiers: join(path.iter().map(|(_, modifiers)| modifiers), " "),
                code: child.text().unwrap_or_default().trim().to_owned(),
            }),
            "term" => descend(child, path, rows),
            _ => {}
        }
    }
    path.pop();
}

/// The title of a term, and its nonessential modifiers.
fn title(term: Node<'_, '_>) -> (String, String) {
    let Some(title) = term.children().find(|node| node.has_tag_name("title")) else {
        return (String::new(), String::new());
    };
    let mut own = String::new();
    let mut modifiers = String::new();
    for node in title.descendants().filter(Node::is_text) {
        let inside = node
            .parent()
            .is_some_and(|parent| parent.has_tag_name("nemod"));
        let target = if inside { &mut modifiers } else { &mut own };
        target.push_str(node.text().unwrap_or_default());
    }
    (own.trim().to_owned(), modifiers.trim().to_owned())
}

fn join<'a>(parts: impl Iterator<Item = &'a String>, separator: &str) -> String {
    parts
        .filter(|part| !part.is_empty())
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(bytes: &[u8]) -> Named {
        Named {
            name: "index".to_owned(),
            bytes: bytes.to_vec(),
        }
    }

    #[test]
    fn nested_terms_of_the_official_xml_become_paths() {
        let xml = br#"<ICD10CM.index><letter><title>A</title><mainTerm><title>Aberrant</title>
            <term level="1"><title>artery <nemod>(peripheral)</nemod></title><code>Q27.8</code>
            <term level="2"><title>eye</title><code>Q15.8</code></term></term></mainTerm></letter></ICD10CM.index>"#;
        let rows = parse(&named(xml)).expect("the file is well formed");
        assert_eq!(rows[0].path, "Aberrant > artery");
        assert_eq!(rows[0].modifiers, "(peripheral)");
        assert_eq!(rows[1].path, "Aberrant > artery > eye");
        assert_eq!(rows[1].code, "Q15.8");
    }

    #[test]
    fn a_row_with_too_few_columns_is_named() {
        let error = parse(&named(b"path\tmodifiers\tcode\nAbasia\tx\n")).err();
        assert_eq!(
            error.expect("the row is short").to_string(),
            "index, line 2: fewer than three columns"
        );
    }
}
