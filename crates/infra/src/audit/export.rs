//! The export of a trail: JSON Lines that prove themselves.
//!
//! ```text
//! {"hysio_audit_export":1,"public_keys":["hysio.example/audit+1a2b3c4d+AQ…"],"exported_at":"…"}
//! {"entry":{"event":{…},"leaf":{"index":0,"hash":"…"}}}
//! {"checkpoint":{"size":1,"note":"…","frontier":"…"}}      after the entries it covers
//! {"end":{"entries":1,"checkpoints":1}}
//! ```
//!
//! The keys in the file show that it is whole, not that it is genuine: for that, give the keys from elsewhere.

use std::{
    io::{self, BufRead, Read, Write},
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    checkpoint::{CheckpointError, StoredCheckpoint},
    entry::{Entry, to_microseconds},
    keys::{SigningKeyError, VerifyingKeys},
    verify::{Finding, Report, Verifier},
};

const FORMAT: u8 = 1;
/// An entry is well under this; a longer line is not one of ours.
const MAX_LINE: u64 = 1024 * 1024;

#[derive(Debug, Error)]
pub enum ExportError {
    #[error("the export cannot be read or written: {0}")]
    Io(#[from] io::Error),
    #[error("the file is empty: give a file that `hysio audit export` wrote")]
    Empty,
    #[error(
        "line {line} is not one of an audit export ({why}): it was changed, or this is another file"
    )]
    BadLine { line: u64, why: String },
    #[error("the export has the format {0}, and this program knows {FORMAT}: use a newer one")]
    UnknownFormat(u8),
    #[error("the export's own keys cannot be used: {0}")]
    Keys(SigningKeyError),
    #[error("the witness cannot be used: {0}")]
    Witness(CheckpointError),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    hysio_audit_export: u8,
    public_keys: Vec<String>,
    exported_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Entry(Entry),
    Checkpoint(StoredCheckpoint),
    End(Counts),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counts {
    entries: u64,
    checkpoints: u64,
}

/// Writes an export. The order is the caller's: entries by index, each checkpoint after the last entry it covers, entries
/// without a place at the end.
#[derive(Debug)]
pub struct Exporter<W> {
    out: W,
    counts: Counts,
}

impl<W: Write> Exporter<W> {
    /// # Errors
    /// When `out` cannot be written; so for all others.
    pub fn new(out: W, keys: &VerifyingKeys, at: Timestamp) -> io::Result<Self> {
        let mut exporter = Self {
            out,
            counts: Counts::default(),
        };
        exporter.line(&Header {
            hysio_audit_export: FORMAT,
            public_keys: keys.to_texts(),
            exported_at: to_microseconds(at),
        })?;
        Ok(exporter)
    }

    pub fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        self.counts.entries += 1;
        let mut entry = entry.clone();
        entry.event.at = to_microseconds(entry.event.at);
        self.line(&Line::Entry(entry))
    }

    pub fn checkpoint(&mut self, checkpoint: &StoredCheckpoint) -> io::Result<()> {
        self.counts.checkpoints += 1;
        self.line(&Line::Checkpoint(checkpoint.clone()))
    }

    /// Writes the end line, without which the export counts as cut off.
    pub fn finish(mut self) -> io::Result<W> {
        self.line(&Line::End(self.counts))?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn line<T: Serialize>(&mut self, line: &T) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, line)?;
        self.out.write_all(b"\n")
    }
}

/// What an export is held against.
#[derive(Clone, Copy, Debug)]
pub struct ExportCheck<'a> {
    /// The public keys as noted elsewhere; without them, those in the export.
    pub keys: Option<&'a VerifyingKeys>,
    /// The signed note of an earlier checkpoint that was kept elsewhere.
    pub witness: Option<&'a str>,
    /// How long before the export an entry may have been without a place.
    pub waiting_bound: Duration,
}

/// Proves an export.
///
/// # Errors
/// When it cannot be read as an export at all. What is wrong with the trail in it is in the report.
pub fn verify_export(
    mut input: impl BufRead,
    check: &ExportCheck<'_>,
) -> Result<Report, ExportError> {
    let header = read_header(&mut input)?;
    let own_keys = VerifyingKeys::parse(&header.public_keys).map_err(ExportError::Keys)?;
    let mut verifier = Verifier::new(check.keys.unwrap_or(&own_keys))
        .with_waiting_bound(header.exported_at, check.waiting_bound);
    if let Some(note) = check.witness {
        verifier = verifier.with_witness(note).map_err(ExportError::Witness)?;
    }
    read_lines(input, &mut verifier)?;
    Ok(verifier.finish())
}

/// Reads the entries of an export, in its order, without proving them.
///
/// # Errors
/// When it cannot be read as an export.
pub fn for_each_entry(
    mut input: impl BufRead,
    mut use_entry: impl FnMut(Entry),
) -> Result<(), ExportError> {
    read_header(&mut input)?;
    let mut number = 2;
    while let Some(line) = read_line(&mut input, number)? {
        if let Line::Entry(entry) = parse(number, &line)? {
            use_entry(entry);
        }
        number += 1;
    }
    Ok(())
}

fn read_header(input: &mut impl BufRead) -> Result<Header, ExportError> {
    let header: Header = parse(1, &read_line(input, 1)?.ok_or(ExportError::Empty)?)?;
    if header.hysio_audit_export == FORMAT {
        Ok(header)
    } else {
        Err(ExportError::UnknownFormat(header.hysio_audit_export))
    }
}

fn read_lines(mut input: impl BufRead, verifier: &mut Verifier<'_>) -> Result<(), ExportError> {
    let mut found = Counts::default();
    for number in 2.. {
        let Some(line) = read_line(&mut input, number)? else {
            verifier.find(Finding::ExportCutOff);
            break;
        };
        match parse(number, &line)? {
            Line::Entry(mut entry) => {
                found.entries += 1;
                entry.event.at = to_microseconds(entry.event.at);
                verifier.entry(&entry);
            }
            Line::Checkpoint(checkpoint) => {
                found.checkpoints += 1;
                verifier.checkpoint(&checkpoint);
            }
            Line::End(said) => {
                if said != found {
                    verifier.find(Finding::ExportMiscounted {
                        said: said.entries + said.checkpoints,
                        found: found.entries + found.checkpoints,
                    });
                }
                if read_line(&mut input, number + 1)?.is_some() {
                    return Err(bad_line(number + 1, &"it comes after the end line"));
                }
                break;
            }
        }
    }
    Ok(())
}

fn read_line(input: &mut impl BufRead, number: u64) -> Result<Option<Vec<u8>>, ExportError> {
    let mut line = Vec::new();
    input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)?;
    if line.len() as u64 == MAX_LINE && !line.ends_with(b"\n") {
        return Err(bad_line(number, &"it is longer than 1 MiB"));
    }
    Ok((!line.is_empty()).then_some(line))
}

fn parse<'de, T: Deserialize<'de>>(number: u64, line: &'de [u8]) -> Result<T, ExportError> {
    serde_json::from_slice(line).map_err(|error| bad_line(number, &error))
}

fn bad_line(line: u64, why: &impl ToString) -> ExportError {
    ExportError::BadLine {
        line,
        why: why.to_string(),
    }
}

#[cfg(test)]
mod tests;
