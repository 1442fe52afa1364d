//! `hysio codes`: build, show and search the catalogue.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use hysio_clinical::diagnosecode::{
    Catalogue,
    catalogue::{self, Code, Inputs, TermKind, file},
};

use super::code::location::{CatalogueFile, default_path};

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
    /// List the codes that begin with these characters.
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
    /// Where to write the catalogue.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Show {
    /// Such as M54.50 or m5450.
    code: String,
    #[command(flatten)]
    catalogue: CatalogueFile,
}

#[derive(Debug, Args)]
struct Search {
    prefix: String,
    #[arg(long, default_value_t = 20)]
    limit: usize,
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
        let catalogue = catalogue::build(&Inputs::new(&self.icd10cm, self.index.as_deref()))?;
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
        Ok(())
    }
}

impl Show {
    fn run(self) -> anyhow::Result<()> {
        let catalogue = file::read(&self.catalogue.path())?;
        let found = catalogue
            .find(&self.code)
            .with_context(|| format!("{} has no code {:?}", catalogue.release, self.code))?;
        print(&catalogue, &found);
        Ok(())
    }
}

impl Search {
    fn run(self) -> anyhow::Result<()> {
        let catalogue = file::read(&self.catalogue.path())?;
        for code in catalogue.starting_with(&self.prefix, self.limit) {
            println!("{:<9} {}", code.code, code.title);
        }
        Ok(())
    }
}

fn print(catalogue: &Catalogue, found: &Code) {
    let entry = catalogue.entry(found.entry);
    let billable = if found.billable {
        "billable"
    } else {
        "not billable"
    };
    println!("{}  {}  ({billable})", found.code, found.title);
    if let Some(chapter) = catalogue
        .chapters
        .get(usize::from(entry.chapter).saturating_sub(1))
    {
        println!("  Chapter {}: {chapter}", entry.chapter);
    }
    for above in catalogue.lineage(found.entry) {
        if above.code != found.code {
            println!("  below {}  {}", above.code, above.title);
        }
        for note in &above.notes {
            println!("    {}: {}", note.kind.label(), note.text);
        }
    }
    for seventh in catalogue.seventh_set(found.entry) {
        println!("  7th character {}: {}", seventh.character, seventh.meaning);
    }
    for child in catalogue.children(found.entry) {
        let child = catalogue.entry(child);
        println!("  {}  {}", child.code, child.title);
    }
}
