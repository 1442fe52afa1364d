//! Reports as PDF: A4, tagged (PDF/UA-1), archivable (PDF/A-2a), with bookmarks and subset fonts. The same report gives
//! the same bytes: the only date is the report's own. Left-to-right scripts only; no images.

use aws_lc_rs::digest;
use hysio_clinical::{
    records::Record,
    report::{EncounterReport, signed_content},
};
use thiserror::Error;

pub mod document;
mod encounter;
mod layout;
mod paint;
mod structure;
mod text;
mod theme;

/// Of all text of a report together. A consultation of an hour is about 60 kB.
pub const MOST_TEXT_BYTES: usize = 2 * 1024 * 1024;
/// Of one short field, such as a name.
pub const MOST_FIELD_BYTES: usize = 500;
pub const MOST_PAGES: usize = 1_000;

/// Carries sizes and names of fields, never their content.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Error {
    #[error(
        "the report has {bytes} bytes of text, the most that can be printed is {MOST_TEXT_BYTES}: print a part of it, or export the record as text"
    )]
    TooMuchText { bytes: usize },
    #[error("{field} has {bytes} bytes, the most that can be printed is {MOST_FIELD_BYTES}")]
    FieldTooLong { field: &'static str, bytes: usize },
    #[error(
        "the report needs more than {MOST_PAGES} pages: print a part of it, or export the record as text"
    )]
    TooManyPages,
    #[error("the PDF could not be written: {0}")]
    Write(String),
}

/// Takes about a second a megabyte of text: call it off the async threads.
///
/// # Errors
/// When the report is too long, before any of it is rendered.
pub fn render(report: &EncounterReport) -> Result<Vec<u8>, Error> {
    check_fields(report)?;
    check_text(report)?;
    let document = encounter::document(report);
    let layout = layout::lay_out(&document)?;
    paint::paint(&document, layout)
}

/// Any other report, such as a plan of capacity. The same document gives the same bytes.
///
/// # Errors
/// When it has too much text or too many pages.
pub fn render_document(document: &document::Document) -> Result<Vec<u8>, Error> {
    match document.text_bytes() {
        bytes if bytes > MOST_TEXT_BYTES => Err(Error::TooMuchText { bytes }),
        _ => paint::paint(document, layout::lay_out(document)?),
    }
}

/// The digest that a printed signature shows: SHA-256 of [`signed_content`].
#[must_use]
pub fn content_digest(record: &Record) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, &signed_content(record));
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

fn check_fields(report: &EncounterReport) -> Result<(), Error> {
    let fields = [
        ("the facility's name", report.facility.len()),
        ("the patient's name", report.patient.name.expose().len()),
        (
            "the date of birth",
            report.patient.birth_date.expose().len(),
        ),
        ("the patient's number", report.patient.mrn.expose().len()),
        ("the clinician's name", report.encounter.clinician.len()),
        (
            "the signer's name",
            report
                .signature
                .as_ref()
                .map_or(0, |signature| signature.by.len()),
        ),
    ];
    match fields
        .into_iter()
        .find(|(_, bytes)| *bytes > MOST_FIELD_BYTES)
    {
        Some((field, bytes)) => Err(Error::FieldTooLong { field, bytes }),
        None => Ok(()),
    }
}

fn check_text(report: &EncounterReport) -> Result<(), Error> {
    let note = report
        .sections()
        .iter()
        .map(|(_, text)| text.len())
        .sum::<usize>();
    let codes = report
        .codes
        .iter()
        .map(|code| {
            code.code.expose().len()
                + code.title.expose().len()
                + code
                    .evidence
                    .iter()
                    .map(|words| words.expose().len())
                    .sum::<usize>()
        })
        .sum::<usize>();
    let spoken = report
        .transcript
        .iter()
        .map(|line| line.text.expose().len())
        .sum::<usize>();
    match note + codes + spoken {
        bytes if bytes > MOST_TEXT_BYTES => Err(Error::TooMuchText { bytes }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
