//! A code on a terminal: a heading, then one section for each kind of thing that is known, wrapped to the width.

use std::{collections::BTreeMap, fmt::Write, io::IsTerminal};

use hysio_clinical::diagnosecode::{Row, Shown};

/// Where output goes to a file or another program.
const WIDTH_DEFAULT: usize = 100;
const WIDTH_MIN: usize = 40;
/// Index entries that are shown; the rest is counted.
const INDEX_MAX: usize = 12;

pub(super) fn layout(shown: &Shown) -> String {
    let stdout = std::io::stdout();
    let width = match terminal_size(&stdout) {
        Some(width) => width.max(WIDTH_MIN),
        None => WIDTH_DEFAULT,
    };
    page(shown, width, stdout.is_terminal())
}

fn terminal_size(stdout: &std::io::Stdout) -> Option<usize> {
    if !stdout.is_terminal() {
        return None;
    }
    let table = comfy_table::Table::new();
    table.width().map(usize::from)
}

fn page(shown: &Shown, width: usize, bold: bool) -> String {
    let mut page = Page {
        text: String::new(),
        width,
        bold,
    };
    let billable = if shown.billable {
        "billable"
    } else {
        "not billable"
    };
    page.heading(&format!("{}  {}", shown.code, shown.title));
    page.line(2, billable);
    if let Some(title) = &shown.dutch_title {
        page.line(2, &format!("Dutch: {title}"));
    }
    if let Some(retired) = &shown.retired {
        page.section("Retired");
        page.line(4, &retired.to_string());
    }
    page.place(shown);
    page.notes(shown);
    if !shown.seventh_characters.is_empty() {
        page.section("7th character");
        for seventh in &shown.seventh_characters {
            page.line(4, &format!("{}  {}", seventh.character, seventh.meaning));
        }
    }
    if let Some(laterality) = &shown.laterality {
        page.section(&format!("Side: {}; the others", laterality.side));
        page.rows(&laterality.others);
    }
    if !shown.edits.is_empty() {
        page.section("Given");
        for edit in &shown.edits {
            let basis = match edit.basis {
                hysio_clinical::diagnosecode::edits::Basis::Official => "Medicare Code Editor",
                hysio_clinical::diagnosecode::edits::Basis::Derived => "drawn from its chapter",
            };
            page.line(4, &format!("{} ({basis})", edit.meaning));
        }
    }
    page.index(&shown.index);
    if !shown.below.is_empty() {
        page.section("Below it");
        page.rows(&shown.below);
    }
    page.text
}

struct Page {
    text: String,
    width: usize,
    bold: bool,
}

impl Page {
    fn heading(&mut self, text: &str) {
        if self.bold {
            self.text.push_str("\u{1b}[1m");
        }
        self.line(0, text);
        if self.bold {
            self.text.push_str("\u{1b}[0m");
        }
    }

    fn section(&mut self, title: &str) {
        self.text.push('\n');
        self.line(2, title);
    }

    /// A paragraph, indented; what doesn't fit goes on below, two further in.
    fn line(&mut self, indent: usize, text: &str) {
        let mut column = 0;
        for (at, word) in text.split(' ').enumerate() {
            let length = word.chars().count();
            let is_full = column > indent + 2 && column + 1 + length > self.width;
            if at == 0 || is_full {
                let margin = if at == 0 { indent } else { indent + 2 };
                self.text.push_str(if at == 0 { "" } else { "\n" });
                self.text.push_str(&" ".repeat(margin));
                column = margin;
            } else {
                self.text.push(' ');
                column += 1;
            }
            self.text.push_str(word);
            column += length;
        }
        self.text.push('\n');
    }

    fn rows(&mut self, rows: &[Row]) {
        for row in rows {
            let mark = if row.billable { ' ' } else { '+' };
            self.line(4, &format!("{:<8}{mark} {}", row.code, row.title));
        }
    }

    fn place(&mut self, shown: &Shown) {
        if shown.chapter.is_none() && shown.above.is_empty() {
            return;
        }
        self.section("Place");
        if let Some(chapter) = &shown.chapter {
            self.line(4, &format!("Chapter {chapter}"));
        }
        if let Some(block) = &shown.block {
            self.line(4, block);
        }
        for above in shown.above.iter().rev() {
            self.line(4, &format!("{:<8}  {}", above.code, above.title));
        }
    }

    /// By kind, and within a kind by where they stand.
    fn notes(&mut self, shown: &Shown) {
        let mut kinds: Vec<&str> = Vec::new();
        let mut by_kind: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
        for note in &shown.notes {
            if !kinds.contains(&note.kind) {
                kinds.push(note.kind);
            }
            by_kind
                .entry(note.kind)
                .or_default()
                .push((&note.code, &note.text));
        }
        for kind in kinds {
            self.section(kind);
            for (code, text) in &by_kind[kind] {
                let place = if *code == shown.code {
                    String::new()
                } else {
                    format!(" [{code}]")
                };
                self.line(4, &format!("{text}{place}"));
            }
        }
    }

    fn index(&mut self, index: &[String]) {
        if index.is_empty() {
            return;
        }
        self.section("Alphabetical index");
        for entry in index.iter().take(INDEX_MAX) {
            self.line(4, entry);
        }
        if index.len() > INDEX_MAX {
            let mut more = String::new();
            write!(more, "… and {} more", index.len() - INDEX_MAX)
                .expect("writing to a string cannot fail");
            self.line(4, &more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_goes_on_below_further_in_and_loses_no_word() {
        let mut page = Page {
            text: String::new(),
            width: 20,
            bold: false,
        };
        page.line(4, "one two three four five");
        assert_eq!(page.text, "    one two three\n      four five\n");
    }
}
