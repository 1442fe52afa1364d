//! `hysio evaluate codes`: how good and how fast the suggestions are on a file of texts whose codes are known.

mod figures;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, ensure};
use clap::Args;
use hysio_clinical::diagnosecode::{Engine, Query};
use hysio_model::diagnosis::CodeSystem;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;

use super::code::location::CatalogueFile;
use figures::{Figures, Outcome};

#[derive(Debug, Args)]
pub struct Codes {
    /// Lines of JSON: {"id": …, "text": …, "gold": ["E11.9", …], "system": "ICD-10-CM"}.
    file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Suggestions that are asked for each text; recall@10 needs 10.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Take a suggestion as given from this probability on, for precision, recall and F1. With calibrated probabilities
    /// F1 is best at half the best F1.
    #[arg(long, default_value_t = 0.25)]
    threshold: f64,
    /// Every which row is taken, and from which on: `2,1` takes the second half of the pairs.
    #[arg(long, value_parser = parse_part, value_name = "OF,AT")]
    part: Option<(usize, usize)>,
    #[command(flatten)]
    catalogue: CatalogueFile,
}

#[derive(Debug, Deserialize)]
struct Row {
    id: String,
    text: String,
    gold: Vec<String>,
    system: String,
}

impl Codes {
    pub fn run(self) -> anyhow::Result<()> {
        let mut rows = read(&self.file)?;
        if let Some((of, at)) = self.part {
            rows = rows
                .into_iter()
                .enumerate()
                .filter(|(number, _)| number % of == at)
                .map(|(_, row)| row)
                .collect();
        }
        ensure!(!rows.is_empty(), "{}: no rows", self.file.display());
        let started = Instant::now();
        let engine = Engine::open(&self.catalogue.path())?;
        let opened = started.elapsed();
        let outcomes = self.measure(&engine, &rows)?;
        let figures = Figures::of(&outcomes, self.threshold, opened);
        if self.json {
            println!("{}", serde_json::to_string_pretty(&figures)?);
        } else {
            println!("{figures}");
        }
        Ok(())
    }

    fn measure(&self, engine: &Engine, rows: &[Row]) -> anyhow::Result<Vec<Outcome>> {
        let progress = ProgressBar::new(u64::try_from(rows.len())?).with_style(
            ProgressStyle::with_template("{bar:40} {pos}/{len} {eta}")
                .context("the template is valid")?,
        );
        let mut outcomes = Vec::with_capacity(rows.len());
        for row in rows {
            let query = Query {
                system: system(&row.system),
                limit: self.limit,
                ..Query::default()
            };
            let started = Instant::now();
            let suggestions = engine
                .suggest(&row.text, &query)
                .with_context(|| format!("row {}", row.id))?;
            outcomes.push(Outcome::new(
                &row.gold,
                &suggestions,
                &row.system,
                started.elapsed(),
            ));
            progress.inc(1);
        }
        progress.finish_and_clear();
        Ok(outcomes)
    }
}

/// WHO ICD-10 and pathology-only rows are judged by what the systems share.
fn system(name: &str) -> CodeSystem {
    if name.starts_with("DCSPH") {
        CodeSystem::Dcsph
    } else {
        CodeSystem::Icd10Cm
    }
}

fn parse_part(text: &str) -> Result<(usize, usize), String> {
    let part = text
        .split_once(',')
        .and_then(|(of, at)| Some((of.parse().ok()?, at.parse().ok()?)));
    match part {
        Some((of, at)) if at < of => Ok((of, at)),
        Some(_) | None => Err("two numbers, such as 2,0".to_owned()),
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<Row>> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(at, line)| {
            serde_json::from_str(line)
                .with_context(|| format!("{}, line {}", path.display(), at + 1))
        })
        .collect()
}
