//! Patients, encounters and records, and the rules they follow.

use hysio_model::{
    Specialty,
    diagnosis::{CodeSystem, Suggestion},
    id::{EncounterId, JobId, PatientId, RecordId, RecordingId, SuggestionId, UserId},
    transcript::{Language, Transcript},
};
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{diagnosecode, pipeline::State};

/// Longest text of one section of a note, in bytes.
pub const SECTION_BYTES_MAX: usize = 200_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sex {
    Female,
    Male,
    Other,
    Unknown,
}

/// Who a patient is. Stored sealed, as one value.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Demographics {
    pub given_name: String,
    pub family_name: String,
    #[schema(value_type = String, format = "date")]
    pub birth_date: Date,
    pub sex: Sex,
    /// The facility's own number for the patient.
    #[serde(default)]
    pub mrn: Option<String>,
}

/// One thing that is wrong with what was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct Invalid {
    pub field: &'static str,
    pub problem: &'static str,
}

const fn invalid(field: &'static str, problem: &'static str) -> Invalid {
    Invalid { field, problem }
}

impl Demographics {
    /// What diagnosis codes depend on, on that day.
    #[must_use]
    pub fn for_coding(&self, today: Date) -> diagnosecode::Patient {
        let had_birthday =
            (today.month(), today.day()) >= (self.birth_date.month(), self.birth_date.day());
        let years = today.year() - self.birth_date.year() - i16::from(!had_birthday);
        diagnosecode::Patient {
            age_years: u16::try_from(years).ok(),
            sex: match self.sex {
                Sex::Female => Some(diagnosecode::Sex::Female),
                Sex::Male => Some(diagnosecode::Sex::Male),
                Sex::Other | Sex::Unknown => None,
            },
        }
    }

    /// Trims the names and checks the whole.
    pub fn validated(mut self, today: Date) -> Result<Self, Invalid> {
        for (field, name) in [
            ("given_name", &mut self.given_name),
            ("family_name", &mut self.family_name),
        ] {
            *name = name.trim().to_owned();
            if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
                return Err(invalid(field, "must have 1 to 100 printable characters"));
            }
        }
        if self.birth_date > today || self.birth_date.year() < 1850 {
            return Err(invalid("birth_date", "must lie between 1850 and today"));
        }
        self.mrn = self
            .mrn
            .map(|mrn| mrn.trim().to_owned())
            .filter(|mrn| !mrn.is_empty());
        if self
            .mrn
            .as_ref()
            .is_some_and(|mrn| mrn.len() > 50 || mrn.chars().any(char::is_control))
        {
            return Err(invalid("mrn", "must have at most 50 printable characters"));
        }
        Ok(self)
    }
}

#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Patient {
    pub id: PatientId,
    #[serde(flatten)]
    pub demographics: Demographics,
    #[schema(value_type = String, format = "date-time")]
    pub created_at: Timestamp,
}

/// An encounter without what was said in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EncounterSummary {
    pub id: EncounterId,
    pub patient_id: PatientId,
    pub clinician_id: UserId,
    pub specialty: Option<Specialty>,
    /// None: the engine finds out.
    pub language: Option<Language>,
    pub code_system: CodeSystem,
    pub state: State,
    #[schema(value_type = String, format = "date-time")]
    pub started_at: Timestamp,
    #[schema(value_type = String, format = "date-time")]
    pub updated_at: Timestamp,
    pub job_id: Option<JobId>,
    pub record_id: Option<RecordId>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Recording {
    pub id: RecordingId,
    pub media_type: String,
    pub bytes: i64,
    pub duration_seconds: Option<f64>,
    #[schema(value_type = String, format = "date-time")]
    pub received_at: Timestamp,
}

/// Why an encounter could not be worked through, in words for the clinician.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    pub code: String,
    pub message: String,
}

/// All of an encounter.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Encounter {
    #[serde(flatten)]
    pub summary: EncounterSummary,
    pub patient: Patient,
    pub recording: Option<Recording>,
    pub transcript: Option<Transcript>,
    pub suggestions: Vec<Suggested>,
    pub record: Option<Record>,
    pub failure: Option<Failure>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    Pending,
    Accepted,
    Rejected,
}

impl Decision {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
        }
    }
}

/// A suggestion and what the clinician made of it.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Suggested {
    pub id: SuggestionId,
    #[serde(flatten)]
    pub suggestion: Suggestion,
    pub rank: i32,
    pub decision: Decision,
    /// Added by the clinician, not suggested.
    pub manual: bool,
}

/// The four sections of a SOAP note.
#[derive(
    Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, Zeroize, ZeroizeOnDrop,
)]
pub struct Note {
    pub subjective: String,
    pub objective: String,
    pub assessment: String,
    pub plan: String,
}

impl Note {
    /// Whether it can be stored.
    pub fn check(&self) -> Result<(), Invalid> {
        let sections = [
            ("subjective", &self.subjective),
            ("objective", &self.objective),
            ("assessment", &self.assessment),
            ("plan", &self.plan),
        ];
        for (field, text) in sections {
            if text.len() > SECTION_BYTES_MAX {
                return Err(invalid(
                    field,
                    "must have at most 200,000 bytes: shorten it, or split the encounter",
                ));
            }
            if text.contains('\0') {
                return Err(invalid(field, "must not contain the NUL character"));
            }
        }
        Ok(())
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        [
            &self.subjective,
            &self.objective,
            &self.assessment,
            &self.plan,
        ]
        .iter()
        .all(|text| text.trim().is_empty())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Code {
    pub system: CodeSystem,
    pub code: String,
    pub title: String,
    pub billable: bool,
}

impl From<&Suggestion> for Code {
    fn from(suggestion: &Suggestion) -> Self {
        Self {
            system: suggestion.system,
            code: suggestion.code.clone(),
            title: suggestion.title.clone(),
            billable: suggestion.billable,
        }
    }
}

/// What is sealed in `patient_records.medical_record`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct MedicalRecord {
    pub note: Note,
    pub codes: Vec<Code>,
    pub transcript: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RecordState {
    Draft,
    Signed,
}

impl RecordState {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Signed => "signed",
        }
    }
}

/// One version of a record, as a clinician reads it.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Record {
    pub id: RecordId,
    pub encounter_id: EncounterId,
    pub patient_id: PatientId,
    pub version: i32,
    pub state: RecordState,
    #[serde(flatten)]
    pub note: Note,
    pub codes: Vec<Code>,
    #[schema(value_type = Option<String>, format = "date-time")]
    pub signed_at: Option<Timestamp>,
    pub signed_by: Option<UserId>,
    pub signed_by_name: Option<String>,
    #[schema(value_type = String, format = "date-time")]
    pub created_at: Timestamp,
    #[schema(value_type = String, format = "date-time")]
    pub updated_at: Timestamp,
}

impl Record {
    /// A draft shows the codes that are accepted now; a signed record those it was signed with.
    #[must_use]
    pub fn as_seen_with(mut self, suggestions: &[Suggested]) -> Self {
        if self.state == RecordState::Draft {
            self.codes = accepted(suggestions);
        }
        self
    }
}

/// The codes that the clinician has accepted.
#[must_use]
pub fn accepted(suggestions: &[Suggested]) -> Vec<Code> {
    let accepted = suggestions
        .iter()
        .filter(|suggested| suggested.decision == Decision::Accepted);
    accepted
        .map(|suggested| Code::from(&suggested.suggestion))
        .collect()
}

/// Why a change to a record is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("version {found} is the newest, and the change was made to version {given}")]
    StaleVersion { given: i32, found: i32 },
    #[error("the record is signed: amend it first")]
    Signed,
    #[error("the record is not signed, so there is nothing to amend")]
    NotSigned,
}

/// Whether version `given` of a record may be edited or signed, when `found` in `state` is the newest.
pub fn check_editable(given: i32, found: i32, state: RecordState) -> Result<(), Refused> {
    match state {
        RecordState::Signed => Err(Refused::Signed),
        RecordState::Draft if given != found => Err(Refused::StaleVersion { given, found }),
        RecordState::Draft => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn demographics() -> Demographics {
        Demographics {
            given_name: " Anna ".into(),
            family_name: "de Vries".into(),
            birth_date: date(1980, 2, 29),
            sex: Sex::Female,
            mrn: Some("  ".into()),
        }
    }

    #[test]
    fn names_are_trimmed_and_an_empty_number_is_none() {
        let valid = demographics().validated(date(2026, 1, 1)).expect("valid");
        assert_eq!(valid.given_name, "Anna");
        assert_eq!(valid.mrn, None);
    }

    #[test]
    fn what_cannot_be_is_named() {
        let unborn = Demographics {
            birth_date: date(2027, 1, 1),
            ..demographics()
        };
        assert_eq!(
            unborn.validated(date(2026, 1, 1)).err().map(|e| e.field),
            Some("birth_date")
        );
        let nameless = Demographics {
            family_name: "\u{7}".into(),
            ..demographics()
        };
        assert_eq!(
            nameless.validated(date(2026, 1, 1)).err().map(|e| e.field),
            Some("family_name")
        );
    }

    #[test]
    fn a_signed_or_newer_record_is_not_overwritten() {
        assert_eq!(check_editable(3, 3, RecordState::Draft), Ok(()));
        assert_eq!(
            check_editable(2, 3, RecordState::Draft),
            Err(Refused::StaleVersion { given: 2, found: 3 })
        );
        assert_eq!(
            check_editable(3, 3, RecordState::Signed),
            Err(Refused::Signed)
        );
    }
}
