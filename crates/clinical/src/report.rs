//! What an encounter report says: the signed (or draft) record of one consultation, with its transcript, ready to be
//! printed. Plain data and the words around it; how it looks is the printer's business. It reads no clock and no
//! database, so the same report always prints the same.

use hysio_model::{
    Phi, Specialty,
    diagnosis::CodeSystem,
    transcript::{Language, Segment},
};
use jiff::{Timestamp, tz::TimeZone};

use crate::records;

mod compose;
mod wording;

pub use compose::{Letterhead, signed_content};
pub use wording::{Wording, language_name, specialty};

/// One encounter as it is printed. It has no `Debug`, as most of it is about a patient.
#[derive(Clone)]
pub struct EncounterReport {
    /// Language of the headings, and of the document for a screen reader.
    pub language: Language,
    /// In which times are printed.
    pub zone: TimeZone,
    /// When the report was asked for; also the creation date of the file.
    pub printed_at: Timestamp,
    /// Name of the facility.
    pub facility: String,
    pub patient: Patient,
    pub encounter: Encounter,
    pub note: SoapNote,
    /// The codes that the clinician accepted.
    pub codes: Vec<AcceptedCode>,
    /// None for a draft, which is then marked as such on every page.
    pub signature: Option<Signature>,
    /// In order of time; empty where nothing was said.
    pub transcript: Vec<SpokenLine>,
}

#[derive(Clone)]
pub struct Patient {
    pub name: Phi<String>,
    /// ISO 8601, such as `1958-03-07`; printed as given where it is not.
    pub birth_date: Phi<String>,
    /// The facility's own number of the patient (medical record number); may be empty.
    pub mrn: Phi<String>,
}

#[derive(Clone)]
pub struct Encounter {
    pub at: Timestamp,
    pub clinician: String,
    pub specialty: Option<Specialty>,
    /// Language that was spoken.
    pub language: Option<Language>,
}

/// Four free texts; line breaks are kept, blank lines part paragraphs.
#[derive(Clone, Default)]
pub struct SoapNote {
    pub subjective: Phi<String>,
    pub objective: Phi<String>,
    pub assessment: Phi<String>,
    pub plan: Phi<String>,
}

#[derive(Clone)]
pub struct AcceptedCode {
    pub system: CodeSystem,
    pub code: Phi<String>,
    pub title: Phi<String>,
    pub billable: bool,
    /// The patient's or clinician's own words that support the code.
    pub evidence: Vec<Phi<String>>,
}

#[derive(Clone)]
pub struct Signature {
    pub by: String,
    pub at: Timestamp,
    /// Version of the record that was signed.
    pub version: i32,
    /// SHA-256 of what was signed: see [`signed_content`].
    pub digest: [u8; 32],
}

#[derive(Clone)]
pub struct SpokenLine {
    /// Seconds from the start of the audio.
    pub start: f64,
    pub end: f64,
    pub text: Phi<String>,
}

impl From<&Segment> for SpokenLine {
    fn from(segment: &Segment) -> Self {
        Self {
            start: segment.start,
            end: segment.end,
            text: Phi::new(segment.text.trim().to_owned()),
        }
    }
}

impl EncounterReport {
    /// The report of an encounter as it stands.
    #[must_use]
    pub fn of(encounter: &records::Encounter, letterhead: Letterhead) -> Self {
        compose::report(encounter, letterhead)
    }

    #[must_use]
    pub fn wording(&self) -> &'static Wording {
        Wording::of(self.language)
    }

    /// A moment, to the minute, with the zone's abbreviation: `2026-11-23 14:05 CET`.
    #[must_use]
    pub fn local_time(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone())
            .strftime("%Y-%m-%d %H:%M %Z")
            .to_string()
    }

    /// The note's four sections under their headings, in the order in which they are read.
    #[must_use]
    pub fn sections(&self) -> [(&'static str, &str); 4] {
        let words = self.wording();
        [
            (words.subjective, self.note.subjective.expose()),
            (words.objective, self.note.objective.expose()),
            (words.assessment, self.note.assessment.expose()),
            (words.plan, self.note.plan.expose()),
        ]
    }
}

/// A position in the audio: `02:05`, or `1:02:05` from an hour on.
#[must_use]
pub fn audio_position(seconds: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to a day, and never negative"
    )]
    let whole = seconds.clamp(0.0, 86_400.0) as u32;
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours == 0 {
        format!("{minutes:02}:{rest:02}")
    } else {
        format!("{hours}:{minutes:02}:{rest:02}")
    }
}

#[cfg(test)]
mod tests;
