//! `hysio conformance`: what real controllers decided, replayed through ours.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use hysio_scaling::conformance::{self, Failure, Report, VectorResult};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

#[derive(Debug, Args)]
pub struct Command {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Vectors of Kubernetes' HorizontalPodAutoscaler and of KEDA.
    Hpa(Hpa),
}

#[derive(Debug, Args)]
struct Hpa {
    /// The folder of vector files (*.json).
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// One JSON object with every vector's outcome.
    #[arg(long)]
    json: bool,
}

impl Command {
    pub fn run(self) -> anyhow::Result<()> {
        match self.what {
            What::Hpa(hpa) => hpa.run(),
        }
    }
}

#[derive(Serialize)]
struct FileReport {
    file: String,
    passed: usize,
    failed: usize,
    #[serde(flatten)]
    report: Report,
}

impl Hpa {
    /// Every file is run before anything is printed: a broken one leaves no half report behind.
    fn run(self) -> anyhow::Result<()> {
        let files = vector_files(&self.folder)?;
        let progress = ProgressBar::new(files.len() as u64);
        progress.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}")?);
        let mut reports = Vec::with_capacity(files.len());
        for path in &files {
            progress.set_message(file_name(path));
            reports.push(run_file(path)?);
            progress.inc(1);
        }
        progress.finish_and_clear();
        let mut out = io::stdout().lock();
        if self.json {
            serde_json::to_writer_pretty(&mut out, &reports)?;
            writeln!(out)?;
        } else {
            print(&mut out, &reports)?;
        }
        let failed: usize = reports.iter().map(|one| one.failed).sum();
        if failed > 0 {
            let all: usize = reports.iter().map(|one| one.report.vectors.len()).sum();
            bail!("{failed} of {all} vectors came out differently");
        }
        Ok(())
    }
}

fn vector_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| {
        format!(
            "cannot read the folder {}: name one that holds vector files",
            folder.display()
        )
    })?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            files.push(path);
        }
    }
    if files.is_empty() {
        bail!("there is no vector file (*.json) in {}", folder.display());
    }
    files.sort();
    Ok(files)
}

fn run_file(path: &Path) -> anyhow::Result<FileReport> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let report = conformance::run(&text).map_err(|error| {
        let place = format!("{}:{}:{}", path.display(), error.line, error.column);
        anyhow::anyhow!("{place}: no vector file: {}", error.problem)
    })?;
    Ok(FileReport {
        file: file_name(path),
        passed: report.passed(),
        failed: report.failures().count(),
        report,
    })
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn print(out: &mut impl Write, reports: &[FileReport]) -> io::Result<()> {
    let width = reports.iter().map(|one| one.file.len()).max().unwrap_or(0);
    for one in reports {
        let file = &one.file;
        writeln!(
            out,
            "{file:width$}  {:>4} passed  {:>4} failed",
            one.passed, one.failed
        )?;
        for (vector, failure) in one.report.failures() {
            print_failure(out, vector, failure)?;
        }
    }
    let passed: usize = reports.iter().map(|one| one.passed).sum();
    let failed: usize = reports.iter().map(|one| one.failed).sum();
    writeln!(
        out,
        "{:width$}  {passed:>4} passed  {failed:>4} failed",
        "all"
    )
}

fn print_failure(out: &mut impl Write, vector: &VectorResult, failure: &Failure) -> io::Result<()> {
    writeln!(out, "  {} ({})", vector.name, vector.function)?;
    writeln!(out, "    expected {}", failure.expected)?;
    writeln!(out, "    got      {}", failure.got)
}
