//! The words of a report in each language that it is printed in.

use hysio_model::{Specialty, transcript::Language};

pub struct Wording {
    pub title: &'static str,
    pub confidential: &'static str,
    pub draft: &'static str,
    pub draft_notice: &'static str,
    pub patient: &'static str,
    pub name: &'static str,
    pub birth_date: &'static str,
    pub mrn: &'static str,
    pub encounter: &'static str,
    pub time: &'static str,
    pub clinician: &'static str,
    pub specialty: &'static str,
    pub language: &'static str,
    pub note: &'static str,
    pub subjective: &'static str,
    pub objective: &'static str,
    pub assessment: &'static str,
    pub plan: &'static str,
    pub nothing_noted: &'static str,
    pub codes: &'static str,
    pub no_codes: &'static str,
    pub system: &'static str,
    pub code: &'static str,
    pub description: &'static str,
    pub billable: &'static str,
    pub yes: &'static str,
    pub no: &'static str,
    pub evidence: &'static str,
    pub signature: &'static str,
    pub signed_by: &'static str,
    pub signed_at: &'static str,
    pub version: &'static str,
    pub digest: &'static str,
    pub transcript: &'static str,
    pub transcript_notice: &'static str,
    pub spoken: &'static str,
    pub printed: &'static str,
}

impl Wording {
    #[must_use]
    pub fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &ENGLISH,
            Language::Dutch => &DUTCH,
        }
    }
}

/// What a specialty is called in the report's language.
#[must_use]
pub fn specialty(specialty: Specialty, language: Language) -> &'static str {
    match (language, specialty) {
        (Language::English, Specialty::Cardiology) => "Cardiology",
        (Language::English, Specialty::Neurology) => "Neurology",
        (Language::English, Specialty::Radiology) => "Radiology",
        (Language::English, Specialty::GeneralPractice) => "General practice",
        (Language::English, Specialty::Emergency) => "Emergency medicine",
        (Language::English, Specialty::Physiotherapy) => "Physiotherapy",
        (Language::Dutch, Specialty::Cardiology) => "Cardiologie",
        (Language::Dutch, Specialty::Neurology) => "Neurologie",
        (Language::Dutch, Specialty::Radiology) => "Radiologie",
        (Language::Dutch, Specialty::GeneralPractice) => "Huisartsgeneeskunde",
        (Language::Dutch, Specialty::Emergency) => "Spoedeisende hulp",
        (Language::Dutch, Specialty::Physiotherapy) => "Fysiotherapie",
    }
}

/// What a spoken language is called in the report's language.
#[must_use]
pub fn language_name(spoken: Language, language: Language) -> &'static str {
    match (language, spoken) {
        (Language::English, Language::English) => "English",
        (Language::English, Language::Dutch) => "Dutch",
        (Language::Dutch, Language::English) => "Engels",
        (Language::Dutch, Language::Dutch) => "Nederlands",
    }
}

static ENGLISH: Wording = Wording {
    title: "Encounter report",
    confidential: "Confidential: medical data, for the care of this patient only",
    draft: "DRAFT – not signed",
    draft_notice: "Draft. This report has not been signed and may still change; do not base care on it.",
    patient: "Patient",
    name: "Name",
    birth_date: "Date of birth",
    mrn: "MRN",
    encounter: "Encounter",
    time: "Time",
    clinician: "Clinician",
    specialty: "Specialty",
    language: "Spoken language",
    note: "Note",
    subjective: "Subjective",
    objective: "Objective",
    assessment: "Assessment",
    plan: "Plan",
    nothing_noted: "Nothing noted.",
    codes: "Diagnosis codes",
    no_codes: "No codes were accepted.",
    system: "System",
    code: "Code",
    description: "Description",
    billable: "Billable",
    yes: "Yes",
    no: "No",
    evidence: "Evidence",
    signature: "Signature",
    signed_by: "Signed by",
    signed_at: "Signed at",
    version: "Record version",
    digest: "SHA-256 of the content",
    transcript: "Appendix: transcript",
    transcript_notice: "Made by speech recognition and not corrected; the note above is what counts.",
    spoken: "Spoken words",
    printed: "Printed",
};

static DUTCH: Wording = Wording {
    title: "Consultverslag",
    confidential: "Vertrouwelijk: medische gegevens, alleen voor de zorg aan deze patiënt",
    draft: "CONCEPT – niet ondertekend",
    draft_notice: "Concept. Dit verslag is niet ondertekend en kan nog wijzigen; baseer er geen zorg op.",
    patient: "Patiënt",
    name: "Naam",
    birth_date: "Geboortedatum",
    mrn: "Patiëntnummer",
    encounter: "Consult",
    time: "Tijd",
    clinician: "Behandelaar",
    specialty: "Specialisme",
    language: "Gesproken taal",
    note: "Verslag",
    subjective: "Subjectief",
    objective: "Objectief",
    assessment: "Evaluatie",
    plan: "Plan",
    nothing_noted: "Niets genoteerd.",
    codes: "Diagnosecodes",
    no_codes: "Er zijn geen codes geaccepteerd.",
    system: "Stelsel",
    code: "Code",
    description: "Omschrijving",
    billable: "Declarabel",
    yes: "Ja",
    no: "Nee",
    evidence: "Onderbouwing",
    signature: "Ondertekening",
    signed_by: "Ondertekend door",
    signed_at: "Ondertekend op",
    version: "Versie van het dossier",
    digest: "SHA-256 van de inhoud",
    transcript: "Bijlage: transcript",
    transcript_notice: "Gemaakt door spraakherkenning en niet gecorrigeerd; het verslag hierboven geldt.",
    spoken: "Gesproken woorden",
    printed: "Afgedrukt",
};
