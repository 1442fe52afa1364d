use hysio_model::{
    diagnosis::{Evidence, Suggestion},
    id::{EncounterId, PatientId, RecordId, SuggestionId, UserId},
    transcript::Transcript,
};
use jiff::civil::date;

use super::*;
use crate::{
    pipeline::State,
    records::{
        Code, Decision, Demographics, EncounterSummary, Note, Record, RecordState, Sex, Suggested,
    },
};

fn suggestion() -> Suggestion {
    Suggestion {
        system: CodeSystem::Icd10Cm,
        code: "I10".to_owned(),
        title: "Essential (primary) hypertension".to_owned(),
        probability: 0.9,
        billable: true,
        evidence: vec![Evidence {
            start: 0,
            end: 12,
            text: "hypertension".to_owned(),
            term: "Hypertension".to_owned(),
        }],
        ..Suggestion::default()
    }
}

fn record(state: RecordState) -> Record {
    let signed = state == RecordState::Signed;
    let manual = Code {
        code: "E11.9".to_owned(),
        ..Code::from(&suggestion())
    };
    Record {
        id: RecordId(5),
        encounter_id: EncounterId::new(),
        patient_id: PatientId::new(),
        version: 2,
        state,
        note: Note {
            subjective: String::new(),
            objective: String::new(),
            assessment: String::new(),
            plan: "Rest.".to_owned(),
        },
        codes: vec![Code::from(&suggestion()), manual],
        signed_at: signed.then_some(Timestamp::UNIX_EPOCH),
        signed_by: signed.then(UserId::new),
        signed_by_name: signed.then(|| "J. Vermeulen".to_owned()),
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
    }
}

fn patient(id: PatientId) -> records::Patient {
    records::Patient {
        id,
        demographics: Demographics {
            given_name: "Anna".to_owned(),
            family_name: "de Vries".to_owned(),
            birth_date: date(1980, 2, 29),
            sex: Sex::Female,
            mrn: None,
        },
        created_at: Timestamp::UNIX_EPOCH,
    }
}

fn encounter(state: RecordState) -> records::Encounter {
    let record = record(state);
    let segment = Segment {
        start: 0.5,
        end: 2.0,
        text: " Goedemorgen. ".to_owned(),
        confidence: 0.9,
        words: Vec::new(),
    };
    records::Encounter {
        summary: EncounterSummary {
            id: record.encounter_id,
            patient_id: record.patient_id,
            clinician_id: UserId::new(),
            specialty: None,
            language: None,
            code_system: CodeSystem::Icd10Cm,
            state: State::Drafted,
            started_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
            job_id: None,
            record_id: None,
        },
        patient: patient(record.patient_id),
        recording: None,
        transcript: Some(Transcript {
            language: Language::Dutch,
            duration_seconds: 2.0,
            segments: vec![segment],
            model: "test".to_owned(),
        }),
        record: Some(record),
        suggestions: vec![Suggested {
            id: SuggestionId::new(),
            suggestion: suggestion(),
            rank: 1,
            decision: Decision::Accepted,
            manual: false,
        }],
        failure: None,
    }
}

fn letterhead() -> Letterhead {
    Letterhead {
        language: Language::English,
        zone: TimeZone::UTC,
        printed_at: Timestamp::UNIX_EPOCH,
        facility: "Clinic".to_owned(),
        clinician: "J. Vermeulen".to_owned(),
        digest: [7; 32],
    }
}

#[test]
fn a_signed_record_becomes_a_signed_report() {
    let report = EncounterReport::of(&encounter(RecordState::Signed), letterhead());
    let signature = report.signature.expect("signed");
    assert_eq!(
        (signature.by.as_str(), signature.version),
        ("J. Vermeulen", 2)
    );
    assert_eq!(report.patient.name.expose(), "Anna de Vries");
    assert_eq!(report.patient.birth_date.expose(), "1980-02-29");
    assert_eq!(report.note.plan.expose(), "Rest.");
    assert_eq!(report.encounter.language, Some(Language::Dutch));
    assert_eq!(report.transcript[0].text.expose(), "Goedemorgen.");
}

#[test]
fn each_code_brings_the_evidence_of_its_own_suggestion() {
    let report = EncounterReport::of(&encounter(RecordState::Signed), letterhead());
    let evidence: Vec<usize> = report
        .codes
        .iter()
        .map(|code| code.evidence.len())
        .collect();
    assert_eq!(evidence, [1, 0], "the second was added by hand");
}

#[test]
fn a_draft_and_an_encounter_without_a_record_have_no_signature() {
    let mut encounter = encounter(RecordState::Draft);
    assert!(
        EncounterReport::of(&encounter, letterhead())
            .signature
            .is_none()
    );
    encounter.record = None;
    let report = EncounterReport::of(&encounter, letterhead());
    assert!(report.signature.is_none() && report.codes.is_empty());
}

#[test]
fn what_a_signature_stands_for_changes_with_every_signed_word() {
    let record = record(RecordState::Signed);
    let signed = signed_content(&record);
    let changes: [fn(&mut Record); 4] = [
        |record| record.note.plan.push('!'),
        |record| record.version += 1,
        |record| record.codes[0].code.push('0'),
        |record| std::mem::swap(&mut record.note.plan, &mut record.note.subjective),
    ];
    for change in changes {
        let mut changed = record.clone();
        change(&mut changed);
        assert_ne!(signed_content(&changed), signed);
    }
    let mut touched = record.clone();
    touched.updated_at = Timestamp::MAX;
    assert_eq!(signed_content(&touched), signed);
}

#[test]
fn a_position_in_the_audio_reads_as_a_clock() {
    assert_eq!(audio_position(0.0), "00:00");
    assert_eq!(audio_position(125.9), "02:05");
    assert_eq!(audio_position(3725.0), "1:02:05");
    assert_eq!(audio_position(f64::NAN), "00:00");
    assert_eq!(audio_position(-4.0), "00:00");
}
