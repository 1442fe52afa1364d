//! `hysio audit`: read the audit trail, and prove that nobody changed it.

use std::{
    fs::File,
    io::{self, BufReader, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use clap::{Args, Subcommand};
use hysio_infra::audit::{
    Entry, ExportCheck, Report, VerifyingKeys, for_each_entry, verify_export,
};

/// What names this trail in its keys and checkpoints.
pub const ORIGIN: &str = "hysio/audit";
/// An entry gets its place within seconds; after this long, something is wrong.
pub const WAITING_BOUND: Duration = Duration::from_secs(10 * 60);

#[derive(Debug, Args)]
pub struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print entries, oldest first.
    Show(Show),
    /// Prove that no entry was changed, dropped, reordered or inserted.
    Verify(Verify),
}

#[derive(Debug, Args)]
struct Show {
    /// The export to read.
    #[arg(long, value_name = "FILE")]
    export: PathBuf,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Verify {
    /// The export to prove.
    #[arg(long, value_name = "FILE")]
    export: PathBuf,
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
            Action::Show(show) => show.run(),
            Action::Verify(verify) => verify.run(),
        }
    }
}

impl Show {
    fn run(self) -> anyhow::Result<()> {
        let mut page = Page::new(io::stdout().lock(), self.json);
        let mut written = Ok(());
        for_each_entry(open(&self.export)?, |entry| {
            if written.is_ok() {
                written = page.entry(&entry);
            }
        })
        .with_context(|| self.export.display().to_string())?;
        Ok(written?)
    }
}

impl Verify {
    fn run(self) -> anyhow::Result<()> {
        let keys = self
            .public_key
            .as_deref()
            .map(VerifyingKeys::load)
            .transpose()?;
        let witness = self.checkpoint.as_deref().map(read_witness).transpose()?;
        let check = ExportCheck {
            keys: keys.as_ref(),
            witness: witness.as_deref(),
            waiting_bound: WAITING_BOUND,
        };
        let report = verify_export(open(&self.export)?, &check)
            .with_context(|| self.export.display().to_string())?;
        print_report(io::stdout().lock(), &report, self.json)?;
        if !self.json {
            print_limits(keys.is_some(), witness.is_some());
        }
        anyhow::ensure!(report.is_proven(), "the audit trail is not proven");
        Ok(())
    }
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

/// Prints entries as a story, with a heading for each day, or as JSON Lines.
pub struct Page<W> {
    out: W,
    json: bool,
    day: Option<jiff::civil::Date>,
}

impl<W: Write> Page<W> {
    pub fn new(out: W, json: bool) -> Self {
        Self {
            out,
            json,
            day: None,
        }
    }

    /// # Errors
    /// When it cannot be written.
    pub fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        if self.json {
            serde_json::to_writer(&mut self.out, entry)?;
            return writeln!(self.out);
        }
        let at = entry.event.at.to_zoned(jiff::tz::TimeZone::UTC);
        if self.day != Some(at.date()) {
            self.day = Some(at.date());
            writeln!(self.out, "\n{} (UTC)", at.date())?;
        }
        writeln!(
            self.out,
            "  {}  {}",
            at.strftime("%H:%M:%S"),
            sentence(entry)
        )
    }
}

/// Who did what to what, and how it ended.
fn sentence(entry: &Entry) -> String {
    let event = &entry.event;
    let place = entry.leaf.map_or("not in the log yet".to_owned(), |leaf| {
        format!("#{}", leaf.index)
    });
    let facility = event
        .facility
        .map_or(String::new(), |facility| format!(" at facility {facility}"));
    let details = match &event.details {
        serde_json::Value::Object(members) => members
            .iter()
            .map(|(name, value)| format!(" {name}={value}"))
            .collect(),
        serde_json::Value::Null => String::new(),
        other @ (serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_)
        | serde_json::Value::Array(_)) => format!(" {other}"),
    };
    format!(
        "{:<8} {} did {} on {} {}{facility}{details}  ({place})",
        event.outcome.as_str(),
        event.actor,
        event.action,
        event.resource,
        event.resource_id,
    )
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
            export: path("export"),
            public_key: Some(path("public")),
            checkpoint: Some(path("witness")),
            json: false,
        };
        (folder, verify)
    }

    #[test]
    fn a_whole_export_is_proven_and_a_changed_one_is_not() {
        let (_folder, verify) = written(|text| text);
        verify.run().unwrap();
        let (_folder, verify) = written(|text| text.replacen("record.draft", "record.signs", 1));
        let message = verify.run().unwrap_err().to_string();
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
        let report = verify_export(open(&verify.export).unwrap(), &check).unwrap();
        let mut out = Vec::new();
        print_report(&mut out, &report, false).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(
            out.contains("entry 0 (00000000-0000-0000-0000-000000000000) was changed"),
            "{out}"
        );
        assert!(!out.contains('✓'), "{out}");
    }

    #[test]
    fn entries_read_like_a_story() {
        let mut out = Vec::new();
        let mut page = Page::new(&mut out, false);
        for at in ["2026-11-23T23:59:59.5Z", "2026-11-24T00:00:00Z"] {
            page.entry(&Entry {
                event: event(1, at),
                leaf: None,
            })
            .unwrap();
        }
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\n2026-11-23 (UTC)\n  23:59:59  success  worker did record.draft on record 12 at facility 3 version=2  (not in the log yet)\n\
             \n2026-11-24 (UTC)\n  00:00:00  success  worker did record.draft on record 12 at facility 3 version=2  (not in the log yet)\n"
        );
    }
}
