//! `hysio audit`: read the audit trail, and prove that nobody changed it.

mod scaling_story;
mod story;

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use hysio_infra::{
    audit::{
        Entry, ExportCheck, Exporter, Report, Verifier, VerifyingKeys, fhir_audit_event,
        for_each_entry, verify_export,
    },
    postgres::{
        audit::{Item, read_trail, verify},
        migrate,
    },
};
use jiff::Timestamp;
use tokio_postgres::Client;

use self::{scaling_story::ScalingStory, story::Page};
use super::output::unless_closed;
use crate::start::{ConfigArgument, audit_keys, direct_config};

/// Names the trail in its checkpoints.
pub const ORIGIN: &str = "hysio/audit";
/// An entry gets its place within seconds; after this long, something is wrong.
pub const WAITING_BOUND: Duration = Duration::from_secs(10 * 60);

#[derive(Debug, Args)]
pub struct Command {
    #[command(flatten)]
    config: ConfigArgument,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print entries, oldest first.
    Show(Show),
    /// Prove that no entry was changed, dropped, reordered or inserted.
    Verify(Verify),
    /// Write the whole trail to standard output or a file, to be proven anywhere.
    Export(Export),
}

#[derive(Debug, Args)]
struct Export {
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Where to write; standard output if not said.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// JSON Lines, with checkpoints and public keys: what `hysio audit verify --export` proves.
    #[default]
    Jsonl,
    /// FHIR R4 AuditEvent resources, one a line.
    Fhir,
}

#[derive(Debug, Args)]
struct Show {
    /// An export to read instead of the database.
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// Only what is about capacity, told change by change.
    #[arg(long)]
    scaling: bool,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Verify {
    /// An export to prove instead of the database.
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// The trail's public keys, one a line, as you noted them when the trail began. Without it, the keys in the export
    /// are believed.
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
    /// A checkpoint that was kept elsewhere: shows that the trail's end was not cut off, nor the trail written anew.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

impl Command {
    /// # Errors
    /// When a file cannot be read, or the trail is not proven.
    pub fn run(self) -> anyhow::Result<()> {
        match self.action {
            Action::Show(show) => unless_closed(show.run(&self.config)),
            Action::Verify(verify) => verify.run(&self.config),
            Action::Export(export) => unless_closed(export.run(&self.config)),
        }
    }
}

impl Show {
    fn run(self, config: &ConfigArgument) -> anyhow::Result<()> {
        let mut page = Page::new(io::stdout(), self.json);
        let mut story = ScalingStory::default();
        let mut written = Ok(());
        self.each(config, |entry| {
            if self.scaling && !ScalingStory::is_about(&entry) {
                return;
            }
            if self.scaling && !self.json {
                story.add(entry);
            } else if written.is_ok() {
                written = page.entry(&entry);
            }
        })?;
        if self.scaling && !self.json {
            story.tell(&mut io::stdout().lock())?;
        }
        Ok(written?)
    }

    /// The entries of the export or the database, oldest first.
    fn each(
        &self,
        config: &ConfigArgument,
        mut show: impl FnMut(Entry) + Send,
    ) -> anyhow::Result<()> {
        match &self.export {
            Some(path) => for_each_entry(open(path)?, show)
                .with_context(|| path.display().to_string())
                .map(drop),
            None => stored(config, async |client| {
                read_trail(&client, |item| {
                    if let Item::Entry(entry) = item {
                        show(entry);
                    }
                    Ok::<_, anyhow::Error>(())
                })
                .await
            }),
        }
    }
}

impl Verify {
    fn run(self, config: &ConfigArgument) -> anyhow::Result<()> {
        let keys = self
            .public_key
            .as_deref()
            .map(VerifyingKeys::load)
            .transpose()?;
        let witness = self.checkpoint.as_deref().map(read_witness).transpose()?;
        let report = match &self.export {
            Some(path) => prove_export(path, keys.as_ref(), witness.as_deref())?,
            None => {
                let own = match &keys {
                    Some(keys) => keys.clone(),
                    None => audit_keys(&config.load()?)?.verifying().clone(),
                };
                let mut verifier = Verifier::new(&own);
                if let Some(note) = &witness {
                    verifier = verifier.with_witness(note)?;
                }
                stored(config, async |client| Ok(verify(&client, verifier).await?))?
            }
        };
        let printed = print_report(io::stdout().lock(), &report, self.json);
        // Who reads on or not: what is proven decides how this ends.
        unless_closed(printed.map_err(Into::into))?;
        if !self.json {
            print_limits(keys.is_some() || self.export.is_none(), witness.is_some());
        }
        anyhow::ensure!(report.is_proven(), "the audit trail is not proven");
        Ok(())
    }
}

fn prove_export(
    path: &Path,
    keys: Option<&VerifyingKeys>,
    witness: Option<&str>,
) -> anyhow::Result<Report> {
    let check = ExportCheck {
        keys,
        witness,
        waiting_bound: WAITING_BOUND,
    };
    verify_export(open(path)?, &check).with_context(|| path.display().to_string())
}

impl Export {
    fn run(self, config: &ConfigArgument) -> anyhow::Result<()> {
        let keys = audit_keys(&config.load()?)?;
        let out: Box<dyn Write + Send> = match &self.out {
            Some(path) => Box::new(BufWriter::new(
                File::create(path).with_context(|| format!("cannot write {}", path.display()))?,
            )),
            None => Box::new(BufWriter::new(io::stdout())),
        };
        stored(config, async |client| match self.format {
            Format::Jsonl => {
                let mut exporter = Exporter::new(out, keys.verifying(), Timestamp::now())?;
                read_trail(&client, |item| {
                    match item {
                        Item::Entry(entry) => exporter.entry(&entry)?,
                        Item::Checkpoint(checkpoint) => exporter.checkpoint(&checkpoint)?,
                    }
                    Ok::<_, anyhow::Error>(())
                })
                .await?;
                Ok(exporter.finish()?.flush()?)
            }
            Format::Fhir => {
                let mut out = out;
                read_trail(&client, |item| {
                    if let Item::Entry(entry) = item {
                        serde_json::to_writer(&mut out, &fhir_audit_event(&entry))?;
                        writeln!(out)?;
                    }
                    Ok::<_, anyhow::Error>(())
                })
                .await?;
                Ok(out.flush()?)
            }
        })
    }
}

/// Reads the database of the configuration, with the services' role.
fn stored<T>(
    config: &ConfigArgument,
    read: impl AsyncFnOnce(Client) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let config = config.load()?;
    super::block_on(async { read(migrate::connect(&direct_config(&config)?).await?).await })
}

fn open(path: &Path) -> anyhow::Result<BufReader<File>> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    Ok(BufReader::new(file))
}

fn read_witness(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Prints the outcome of a proof, what is wrong first.
///
/// # Errors
/// When `out` cannot be written.
pub fn print_report(mut out: impl Write, report: &Report, json: bool) -> io::Result<()> {
    if json {
        serde_json::to_writer_pretty(&mut out, report)?;
        return writeln!(out);
    }
    for finding in &report.findings {
        writeln!(out, "✗ {finding}")?;
    }
    if report.more_findings > 0 {
        writeln!(out, "✗ and {} more", report.more_findings)?;
    }
    if report.is_proven() {
        writeln!(
            out,
            "✓ {} entries are as they were written",
            report.entries - report.waiting
        )?;
    }
    if report.waiting > 0 {
        writeln!(
            out,
            "  {} more wait for their place in the log",
            report.waiting
        )?;
    }
    if let (Some(root), Some(at)) = (report.root, report.signed_at) {
        writeln!(
            out,
            "  {} checkpoints; the last, of {at}, signs {} entries",
            report.checkpoints, report.size
        )?;
        writeln!(out, "  root {root}")?;
    }
    Ok(())
}

fn print_limits(has_keys: bool, has_witness: bool) {
    if !has_keys {
        eprintln!(
            "note: proven with the keys in the export itself; give --public-key to show whose it is"
        );
    }
    if !has_witness {
        eprintln!("note: give --checkpoint, kept elsewhere, to show that the end was not cut off");
    }
}

#[cfg(test)]
mod tests {
    use hysio_infra::audit::{Exporter, Log, SigningKeys};
    use hysio_model::{
        audit::{AuditEvent, Outcome},
        id::FacilityId,
    };
    use serde_json::json;

    use super::*;

    fn event(n: u128, at: &str) -> AuditEvent {
        AuditEvent {
            id: uuid::Uuid::from_u128(n),
            at: at.parse().unwrap(),
            facility: Some(FacilityId(3)),
            actor: "worker".to_owned(),
            action: "record.draft".to_owned(),
            resource: "record".to_owned(),
            resource_id: "12".to_owned(),
            outcome: Outcome::Success,
            details: json!({"version": 2}),
        }
    }

    fn written(change: impl Fn(String) -> String) -> (tempfile::TempDir, Verify) {
        let folder = tempfile::tempdir().unwrap();
        let keys = SigningKeys::generate_file(&folder.path().join("key"), "hysio/audit").unwrap();
        let now = "2026-11-23T10:00:00Z".parse().unwrap();
        let mut log = Log::default();
        let mut exporter = Exporter::new(Vec::new(), keys.verifying(), now).unwrap();
        for n in 0..3 {
            let event = event(n, "2026-11-23T09:00:00Z");
            let leaf = Some(log.append(&event));
            exporter.entry(&Entry { event, leaf }).unwrap();
        }
        let checkpoint = log.sign(&keys, now);
        exporter.checkpoint(&checkpoint).unwrap();
        let text = String::from_utf8(exporter.finish().unwrap()).unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("export"), change(text)).unwrap();
        std::fs::write(path("public"), keys.verifying().to_texts().join("\n")).unwrap();
        std::fs::write(path("witness"), checkpoint.note).unwrap();
        let verify = Verify {
            export: Some(path("export")),
            public_key: Some(path("public")),
            checkpoint: Some(path("witness")),
            json: false,
        };
        (folder, verify)
    }

    /// Without the configuration, which only a stored trail needs.
    fn prove(verify: &Verify) -> anyhow::Result<()> {
        let keys = verify
            .public_key
            .as_deref()
            .map(VerifyingKeys::load)
            .transpose()?;
        let witness = verify.checkpoint.as_deref().map(read_witness).transpose()?;
        let report = prove_export(
            verify.export.as_deref().unwrap(),
            keys.as_ref(),
            witness.as_deref(),
        )?;
        anyhow::ensure!(report.is_proven(), "the audit trail is not proven");
        Ok(())
    }

    #[test]
    fn a_whole_export_is_proven_and_a_changed_one_is_not() {
        let (_folder, verify) = written(|text| text);
        prove(&verify).unwrap();
        let (_folder, verify) = written(|text| text.replacen("record.draft", "record.signs", 1));
        let message = prove(&verify).unwrap_err().to_string();
        assert!(message.contains("not proven"), "{message}");
    }

    #[test]
    fn the_changed_entry_is_printed() {
        let (_folder, verify) = written(|text| text.replacen("record.draft", "record.signs", 1));
        let check = ExportCheck {
            keys: None,
            witness: None,
            waiting_bound: WAITING_BOUND,
        };
        let report =
            verify_export(open(verify.export.as_deref().unwrap()).unwrap(), &check).unwrap();
        let mut out = Vec::new();
        print_report(&mut out, &report, false).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(
            out.contains("entry 0 (00000000-0000-0000-0000-000000000000) was changed"),
            "{out}"
        );
        assert!(!out.contains('✓'), "{out}");
    }
}
