//! `hysio codes`: build, show and search the catalogue.

mod show;

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use hysio_clinical::diagnosecode::{
    Engine,
    catalogue::{self, Inputs, TermKind, file},
};
use hysio_model::diagnosis::CodeSystem;

use super::{
    code::location::{CatalogueFile, default_path},
    output,
};

#[derive(Debug, Args)]
pub struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Build the catalogue from the official files.
    Build(Build),
    /// Print all that is known about a code.
    Show(Show),
    /// List the codes that begin with these characters, or whose titles hold words that begin so.
    Search(Search),
}

#[derive(Debug, Args)]
struct Build {
    /// The wheel of simple-icd-10-cm, or a folder with the tabular XML and the list of codes.
    #[arg(long, value_name = "PATH")]
    icd10cm: PathBuf,
    /// The official alphabetical index (XML of the yearly release), if you have it: it makes suggestions better.
    #[arg(long, value_name = "FILE")]
    index: Option<PathBuf>,
    /// Dutch titles of WHO ICD-10, if you have them: ClaML, or rows of a code and a title. They are searched and matched.
    #[arg(long, value_name = "FILE")]
    dutch_titles: Option<PathBuf>,
    /// Where to write the catalogue.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Show {
    /// Such as M54.50 or m5450.
    code: String,
    /// ICD-10-CM or DCSPH.
    #[arg(long, default_value_t = CodeSystem::Icd10Cm)]
    system: CodeSystem,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    catalogue: CatalogueFile,
}

#[derive(Debug, Args)]
struct Search {
    /// Characters of a code, or words.
    #[arg(required = true)]
    typed: Vec<String>,
    /// ICD-10-CM or DCSPH.
    #[arg(long, default_value_t = CodeSystem::Icd10Cm)]
    system: CodeSystem,
    #[arg(long, default_value_t = 20)]
    limit: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    catalogue: CatalogueFile,
}

impl Command {
    pub fn run(self) -> anyhow::Result<()> {
        match self.action {
            Action::Build(build) => build.run(),
            Action::Show(show) => show.run(),
            Action::Search(search) => search.run(),
        }
    }
}

impl Build {
    fn run(self) -> anyhow::Result<()> {
        let out = self.out.unwrap_or_else(default_path);
        let inputs =
            Inputs::new(&self.icd10cm, self.index.as_deref()).with_dutch_titles(self.dutch_titles);
        let catalogue = catalogue::build(&inputs)?;
        file::write(&catalogue, &out)?;
        println!("{}: {}", out.display(), catalogue.release);
        for source in &catalogue.sources {
            println!("  from {} (sha256 {})", source.name, source.sha256);
        }
        println!(
            "  {} entries, {} billable codes; terms: {} titles, {} inclusion terms, {} includes, {} of the index",
            catalogue.entries.len(),
            catalogue.billable_count(),
            catalogue.terms.count(TermKind::Title),
            catalogue.terms.count(TermKind::Inclusion),
            catalogue.terms.count(TermKind::Includes),
            catalogue.terms.count(TermKind::Index),
        );
        if !catalogue.dutch_titles.is_empty() {
            println!(
                "  {} Dutch titles, among the inclusion terms",
                catalogue.dutch_titles.len()
            );
        }
        Ok(())
    }
}

impl Show {
    fn run(self) -> anyhow::Result<()> {
        let engine = Engine::open(&self.catalogue.path())?;
        let shown = engine.show(self.system, &self.code).with_context(|| {
            let release = match self.system {
                CodeSystem::Icd10Cm => &engine.catalogue().release,
                CodeSystem::Dcsph => self.system.as_str(),
            };
            format!(
                "{release} has no code {:?}: look for it with `hysio codes search`",
                self.code.chars().take(40).collect::<String>()
            )
        })?;
        if self.json {
            return output::print(&(serde_json::to_string_pretty(&shown)? + "\n"));
        }
        output::print(&show::layout(&shown))
    }
}

impl Search {
    fn run(self) -> anyhow::Result<()> {
        let engine = Engine::open(&self.catalogue.path())?;
        let typed = self.typed.join(" ");
        let found = engine.search(self.system, &typed, self.limit);
        if self.json {
            return output::print(&(serde_json::to_string_pretty(&found)? + "\n"));
        }
        if found.is_empty() {
            return output::print(&format!("No {} code is found for this.\n", self.system));
        }
        let lines: Vec<String> = found
            .into_iter()
            .map(|row| {
                let replaces = row.replaces.map(|code| format!("  (in place of {code})"));
                let replaces = replaces.unwrap_or_default();
                format!("{:<9} {}{replaces}\n", row.code, row.title)
            })
            .collect();
        output::print(&lines.concat())
    }
}
