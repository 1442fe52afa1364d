//! `hysio code`: diagnosis codes for a text, from the terminal.

mod highlight;
pub mod location;

use std::io::{IsTerminal, Read};

use anyhow::Context;
use clap::Args;
use hysio_clinical::diagnosecode::{Engine, Language, MAX_TEXT_BYTES, Patient, Query, Sex};
use hysio_model::diagnosis::{CodeSystem, Suggestion};

use super::output;
use location::CatalogueFile;

#[derive(Debug, Args)]
pub struct Command {
    /// The clinical text, or `-` to read it from standard input.
    text: String,
    /// ICD-10-CM or DCSPH.
    #[arg(long, default_value_t = CodeSystem::Icd10Cm)]
    system: CodeSystem,
    /// en or nl; told apart by its words if not given.
    #[arg(long, value_parser = parse_language)]
    language: Option<Language>,
    /// How many codes at most.
    #[arg(long, default_value_t = 10)]
    limit: usize,
    /// The patient's age in years: codes that don't suit it are marked and fall far down.
    #[arg(long)]
    age: Option<u16>,
    /// female or male: codes that don't suit it are marked and fall far down.
    #[arg(long)]
    sex: Option<Sex>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    catalogue: CatalogueFile,
}

impl Command {
    pub fn run(self) -> anyhow::Result<()> {
        let query = Query {
            system: self.system,
            language: self.language,
            limit: self.limit,
            patient: Patient {
                age_years: self.age,
                sex: self.sex,
            },
        };
        let text = read_text(self.text)?;
        let engine = Engine::open(&self.catalogue.path())?;
        let suggestions = engine.suggest(&text, &query)?;
        if self.json {
            return output::print(&(serde_json::to_string_pretty(&suggestions)? + "\n"));
        }
        output::print(&layout(&text, &suggestions, self.system))
    }
}

pub fn parse_language(text: &str) -> Result<Language, String> {
    match text {
        "en" => Ok(Language::English),
        "nl" => Ok(Language::Dutch),
        _ => Err(format!("language {text:?} is not known: use en or nl")),
    }
}

fn read_text(argument: String) -> anyhow::Result<String> {
    if argument != "-" {
        return Ok(argument);
    }
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_TEXT_BYTES + 1).context("the limit fits in 64 bits")?;
    std::io::stdin()
        .take(limit)
        .read_to_end(&mut bytes)
        .context("reading the text from standard input")?;
    // A longer text is refused by the engine; the cut may have parted a character.
    if bytes.len() > MAX_TEXT_BYTES {
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        anyhow::anyhow!(
            "standard input is no UTF-8 text: byte {} is not valid",
            error.utf8_error().valid_up_to() + 1
        )
    })
}

fn layout(text: &str, suggestions: &[Suggestion], system: CodeSystem) -> String {
    if suggestions.is_empty() {
        return format!("No {system} code is suggested by this text.\n");
    }
    let mut out = String::new();
    let colour = std::io::stdout().is_terminal();
    let ranges: Vec<_> = suggestions
        .iter()
        .flat_map(|suggestion| &suggestion.evidence)
        .map(|evidence| (evidence.start, evidence.end))
        .collect();
    if colour {
        out.push_str(&highlight::marked(text, &ranges));
        out.push_str("\n\n");
    }
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
    table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    table.set_header(["Code", "Title", "Probability", "Billable", "Because of"]);
    for suggestion in suggestions {
        table.add_row([
            suggestion.code.clone(),
            suggestion.title.clone(),
            bar(suggestion.probability),
            if suggestion.billable { "yes" } else { "no" }.to_owned(),
            words(suggestion),
        ]);
    }
    out.push_str(&table.to_string());
    out.push('\n');
    for remark in suggestions.iter().flat_map(remarks) {
        out.push_str(&remark);
        out.push('\n');
    }
    out
}

/// What is to be minded about a suggestion: `R05.9  belongs to J18.9, Pneumonia`.
fn remarks(suggestion: &Suggestion) -> impl Iterator<Item = String> {
    let companion = suggestion.companion.as_ref().map(|companion| {
        format!(
            "beside {}: {} – {}",
            companion.of, companion.relation, companion.instruction
        )
    });
    suggestion
        .cautions
        .iter()
        .map(|caution| caution.reason.clone())
        .chain(companion)
        .map(|remark| format!("{:<9} {remark}", suggestion.code))
}

/// `██████░░░░ 62 %`
fn bar(probability: f64) -> String {
    const CELLS: usize = 10;
    let tenths = (1..=CELLS)
        .filter(|cell| probability * 10.0 >= f64::from(u8::try_from(*cell).unwrap_or(0)) - 0.5)
        .count();
    format!(
        "{}{} {:>3.0} %",
        "█".repeat(tenths),
        "░".repeat(CELLS - tenths),
        probability * 100.0
    )
}

fn words(suggestion: &Suggestion) -> String {
    let mut words: Vec<&str> = Vec::new();
    for evidence in &suggestion.evidence {
        if !words.contains(&evidence.text.as_str()) {
            words.push(&evidence.text);
        }
    }
    words.join(" … ")
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn the_bar_has_ten_cells() {
        assert_eq!(bar(0.0), "░░░░░░░░░░   0 %");
        assert_eq!(bar(0.62), "██████░░░░  62 %");
        assert_eq!(bar(1.0), "██████████ 100 %");
    }
}
