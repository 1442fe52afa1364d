//! From an encounter to its report.

use std::collections::HashSet;

use hysio_model::{Phi, transcript::Language};
use jiff::{Timestamp, tz::TimeZone};

use super::{AcceptedCode, Encounter, EncounterReport, Patient, Signature, SoapNote, SpokenLine};
use crate::records::{self, Record, RecordState};

/// What a report needs beside the encounter.
#[derive(Clone)]
pub struct Letterhead {
    /// Language of the headings.
    pub language: Language,
    /// In which times are printed.
    pub zone: TimeZone,
    pub printed_at: Timestamp,
    /// Name of the facility.
    pub facility: String,
    /// Name of the clinician whose encounter it is.
    pub clinician: String,
    /// SHA-256 of [`signed_content`]; unused for a draft.
    pub digest: [u8; 32],
}

/// The bytes that a signature stands for, so that a printed digest can be checked against the stored record: JSON of
/// record id, version, the four sections and the codes, in this order, without white space.
#[must_use]
pub fn signed_content(record: &Record) -> Vec<u8> {
    let note = &record.note;
    let sections = [
        &note.subjective,
        &note.objective,
        &note.assessment,
        &note.plan,
    ];
    serde_json::to_vec(&(record.id, record.version, sections, &record.codes))
        .expect("numbers, texts and lists are always JSON")
}

pub fn report(encounter: &records::Encounter, letterhead: Letterhead) -> EncounterReport {
    let record = encounter.record.as_ref();
    let transcript = encounter.transcript.as_ref();
    EncounterReport {
        patient: patient(&encounter.patient.demographics),
        encounter: Encounter {
            at: encounter.summary.started_at,
            clinician: letterhead.clinician,
            specialty: encounter.summary.specialty,
            language: transcript
                .map(|transcript| transcript.language)
                .or(encounter.summary.language),
        },
        note: record.map(soap_note).unwrap_or_default(),
        codes: record.map_or_else(Vec::new, |record| accepted_codes(record, encounter)),
        signature: record.and_then(|record| signature(record, letterhead.digest)),
        transcript: transcript.map_or_else(Vec::new, |transcript| {
            transcript.segments.iter().map(SpokenLine::from).collect()
        }),
        language: letterhead.language,
        zone: letterhead.zone,
        printed_at: letterhead.printed_at,
        facility: letterhead.facility,
    }
}

fn patient(demographics: &records::Demographics) -> Patient {
    let name = format!("{} {}", demographics.given_name, demographics.family_name);
    Patient {
        name: Phi::new(name),
        birth_date: Phi::new(demographics.birth_date.to_string()),
        mrn: Phi::new(demographics.mrn.clone().unwrap_or_default()),
    }
}

fn soap_note(record: &Record) -> SoapNote {
    let note = &record.note;
    SoapNote {
        subjective: Phi::new(note.subjective.clone()),
        objective: Phi::new(note.objective.clone()),
        assessment: Phi::new(note.assessment.clone()),
        plan: Phi::new(note.plan.clone()),
    }
}

/// The record's codes, each with the evidence of its suggestion; one that the clinician added has none.
fn accepted_codes(record: &Record, encounter: &records::Encounter) -> Vec<AcceptedCode> {
    let accepted = |code: &records::Code| AcceptedCode {
        system: code.system,
        code: Phi::new(code.code.clone()),
        title: Phi::new(code.title.clone()),
        billable: code.billable,
        evidence: evidence(code, encounter),
    };
    record.codes.iter().map(accepted).collect()
}

/// Each of the words once, however often they were said.
fn evidence(code: &records::Code, encounter: &records::Encounter) -> Vec<Phi<String>> {
    let mut said = HashSet::new();
    encounter
        .suggestions
        .iter()
        .map(|suggested| &suggested.suggestion)
        .filter(|suggestion| suggestion.system == code.system && suggestion.code == code.code)
        .flat_map(|suggestion| &suggestion.evidence)
        .filter(|words| said.insert(words.text.to_lowercase()))
        .map(|words| Phi::new(words.text.clone()))
        .collect()
}

fn signature(record: &Record, digest: [u8; 32]) -> Option<Signature> {
    match record.state {
        RecordState::Draft => None,
        RecordState::Signed => Some(Signature {
            by: record.signed_by_name.clone().unwrap_or_default(),
            at: record.signed_at?,
            version: record.version,
            digest,
        }),
    }
}
