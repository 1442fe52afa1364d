//! Writes a made-up encounter report, to look at: `cargo run -p hysio-infra --example encounter_report -- report.pdf [draft]`.

use anyhow::Context;
use hysio_clinical::report::{
    AcceptedCode, Encounter, EncounterReport, Patient, Signature, SoapNote, SpokenLine,
};
use hysio_model::{Phi, Specialty, diagnosis::CodeSystem, transcript::Language};
use jiff::{Timestamp, tz::TimeZone};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().context("name the file to write")?;
    let mut report = sample()?;
    if arguments.next().as_deref() == Some("draft") {
        report.signature = None;
        report.language = Language::Dutch;
    }
    std::fs::write(&path, hysio_infra::pdf::render(&report)?)
        .with_context(|| format!("{path} could not be written"))
}

fn sample() -> anyhow::Result<EncounterReport> {
    let at: Timestamp = "2026-11-23T13:05:00Z".parse()?;
    Ok(EncounterReport {
        language: Language::English,
        zone: TimeZone::fixed(jiff::tz::offset(1)),
        printed_at: "2026-11-23T14:20:00Z".parse()?,
        facility: "Sint-Maartens Clinic, Utrecht".to_owned(),
        patient: Patient {
            name: phi("Anneloes Coëlho-van ’t Wél"),
            birth_date: phi("1958-03-07"),
            mrn: phi("00412377"),
        },
        encounter: Encounter {
            at,
            clinician: "J. Vermeulen, MD".to_owned(),
            specialty: Some(Specialty::Cardiology),
            language: Some(Language::English),
        },
        note: note(),
        codes: codes(),
        signature: Some(Signature {
            by: "J. Vermeulen, MD".to_owned(),
            at: "2026-11-23T14:12:00Z".parse()?,
            version: 3,
            digest: std::array::from_fn(|index| u8::try_from(index * 7 + 11).unwrap_or(0)),
        }),
        transcript: transcript(),
    })
}

fn note() -> SoapNote {
    SoapNote {
        subjective: phi(
            "67-year-old woman with three weeks of exertional chest tightness, coming on after one flight of stairs and \
             settling within five minutes of rest. No pain at rest, no nocturnal dyspnoea. Known hypertension, treated \
             since 2014; type 2 diabetes without complications. Father had a myocardial infarction at 58.\n\n\
             Medication:\n- lisinopril 10 mg once daily\n- metformin 500 mg twice daily, taken with meals; she forgets \
             the evening dose about twice a week and asks whether a slow-release form exists\n- no known allergies\n\n\
             She stopped smoking in 2009 (20 pack-years) and drinks two glasses of wine a week.",
        ),
        objective: phi(
            "Blood pressure 152/88 mmHg, pulse 76/min regular, SpO₂ 97 % on room air, BMI 29.4 kg/m².\n\
             Heart sounds normal, no murmurs. Lungs clear. No ankle oedema. Peripheral pulses present.\n\
             ECG: sinus rhythm, no ST-T changes.",
        ),
        assessment: phi(
            "Stable angina pectoris, CCS class II, with three risk factors. Hypertension above target. \
             Type 2 diabetes, HbA1c to be repeated.",
        ),
        plan: phi(
            "- aspirin 80 mg and atorvastatin 40 mg daily\n- metoprolol succinate 50 mg daily, nitroglycerin spray as needed\n\
             - CT coronary angiography within two weeks\n- lipids, HbA1c, renal function\n- call 112 at pain that lasts \
             longer than 15 minutes; explained and understood\n- review in three weeks",
        ),
    }
}

fn codes() -> Vec<AcceptedCode> {
    vec![
        code(
            CodeSystem::Icd10Cm,
            "I20.89",
            "Other forms of angina pectoris",
            &["chest tightness", "settling within five minutes of rest"],
        ),
        code(
            CodeSystem::Icd10Cm,
            "I10",
            "Essential (primary) hypertension",
            &["Known hypertension"],
        ),
        code(
            CodeSystem::Icd10Cm,
            "E11.9",
            "Type 2 diabetes mellitus without complications",
            &["type 2 diabetes without complications"],
        ),
    ]
}

fn code(system: CodeSystem, code: &str, title: &str, evidence: &[&str]) -> AcceptedCode {
    AcceptedCode {
        system,
        code: phi(code),
        title: phi(title),
        billable: true,
        evidence: evidence.iter().map(|words| phi(words)).collect(),
    }
}

fn transcript() -> Vec<SpokenLine> {
    let spoken = [
        "Good afternoon. What brings you here today?",
        "Well, for about three weeks now I get this tightness on my chest when I take the stairs. It is gone again after \
         a few minutes when I sit down, but it frightens me, because my father had his heart attack at fifty-eight.",
        "Does it ever come when you are resting, or wake you at night?",
        "No, never.",
        "And which tablets do you take at the moment?",
        "Lisinopril, ten, once a day, and the metformin. The evening one I forget, twice a week maybe.",
    ];
    (0..48)
        .map(|number| SpokenLine {
            start: f64::from(number) * 6.5,
            end: f64::from(number) * 6.5 + 5.8,
            text: phi(spoken[usize::try_from(number).unwrap_or(0) % spoken.len()]),
        })
        .collect()
}

fn phi(text: &str) -> Phi<String> {
    Phi::new(text.to_owned())
}
