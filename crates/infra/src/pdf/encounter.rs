//! An encounter report as a document.

use hysio_clinical::report::{
    AcceptedCode, EncounterReport, Signature, SpokenLine, audio_position, language_name, specialty,
};
use hysio_model::Phi;

use super::document::{Block, Card, Column, Document, Level, Table};

pub fn document(report: &EncounterReport) -> Document {
    let words = report.wording();
    let mut blocks = vec![Block::Title {
        text: words.title.to_owned(),
        subtitle: subtitle(report),
    }];
    if report.signature.is_none() {
        blocks.push(Block::Warning(words.draft_notice.to_owned()));
    }
    blocks.push(Block::Cards(vec![patient(report), encounter(report)]));
    blocks.extend(note(report));
    blocks.extend(codes(report));
    if let Some(signature) = &report.signature {
        blocks.push(section(words.signature));
        blocks.push(Block::Cards(vec![signed(report, signature)]));
    }
    if !report.transcript.is_empty() {
        blocks.extend(transcript(report));
    }
    Document {
        title: format!("{} · {}", words.title, report.facility),
        language: report.language.code(),
        created: report.printed_at,
        header: (report.facility.clone(), patient_line(report)),
        footer: format!(
            "{} · {} {}",
            words.confidential,
            words.printed,
            report.local_time(report.printed_at)
        ),
        watermark: report.signature.is_none().then(|| words.draft.to_owned()),
        blocks,
    }
}

fn subtitle(report: &EncounterReport) -> String {
    let time = report.local_time(report.encounter.at);
    match report.encounter.specialty {
        Some(known) => format!("{time} · {}", specialty(known, report.language)),
        None => time,
    }
}

/// On every page, so that a loose sheet is never without its patient.
fn patient_line(report: &EncounterReport) -> String {
    let patient = &report.patient;
    let mut parts = vec![
        patient.name.expose().clone(),
        patient.birth_date.expose().clone(),
    ];
    if !patient.mrn.expose().is_empty() {
        parts.push(format!("{} {}", report.wording().mrn, patient.mrn.expose()));
    }
    parts.join(" · ")
}

fn patient(report: &EncounterReport) -> Card {
    let words = report.wording();
    let patient = &report.patient;
    Card {
        title: words.patient.to_owned(),
        facts: vec![
            fact(words.name, patient.name.expose()),
            fact(words.birth_date, patient.birth_date.expose()),
            fact(words.mrn, patient.mrn.expose()),
        ],
    }
}

fn encounter(report: &EncounterReport) -> Card {
    let words = report.wording();
    let encounter = &report.encounter;
    let specialty = encounter
        .specialty
        .map_or("", |known| specialty(known, report.language));
    let spoken = encounter
        .language
        .map_or("", |known| language_name(known, report.language));
    Card {
        title: words.encounter.to_owned(),
        facts: vec![
            fact(words.time, &report.local_time(encounter.at)),
            fact(words.clinician, &encounter.clinician),
            fact(words.specialty, specialty),
            fact(words.language, spoken),
        ],
    }
}

fn note(report: &EncounterReport) -> Vec<Block> {
    let words = report.wording();
    let mut blocks = vec![section(words.note)];
    for (heading, text) in report.sections() {
        blocks.push(Block::Heading {
            level: Level::Subsection,
            text: heading.to_owned(),
        });
        blocks.push(if text.trim().is_empty() {
            Block::Remark(words.nothing_noted.to_owned())
        } else {
            Block::Text(text.to_owned())
        });
    }
    blocks
}

fn codes(report: &EncounterReport) -> Vec<Block> {
    let words = report.wording();
    let body = if report.codes.is_empty() {
        Block::Remark(words.no_codes.to_owned())
    } else {
        Block::Table(Table {
            columns: vec![
                column(words.system, 0.14),
                column(words.code, 0.12),
                column(words.description, 0.36),
                column(words.billable, 0.12),
                column(words.evidence, 0.26),
            ],
            ruled: true,
            rows: report
                .codes
                .iter()
                .map(|code| code_row(report, code))
                .collect(),
        })
    };
    vec![section(words.codes), body]
}

fn code_row(report: &EncounterReport, code: &AcceptedCode) -> Vec<String> {
    let words = report.wording();
    let evidence: Vec<String> = code
        .evidence
        .iter()
        .map(Phi::expose)
        .map(|words| format!("“{words}”"))
        .collect();
    vec![
        code.system.to_string(),
        code.code.expose().clone(),
        code.title.expose().clone(),
        if code.billable { words.yes } else { words.no }.to_owned(),
        evidence.join(", "),
    ]
}

fn signed(report: &EncounterReport, signature: &Signature) -> Card {
    let words = report.wording();
    Card {
        title: String::new(),
        facts: vec![
            fact(words.signed_by, &signature.by),
            fact(words.signed_at, &report.local_time(signature.at)),
            fact(words.version, &signature.version.to_string()),
            fact(words.digest, &spaced_hex(&signature.digest)),
        ],
    }
}

fn transcript(report: &EncounterReport) -> Vec<Block> {
    let words = report.wording();
    vec![
        Block::PageBreak,
        section(words.transcript),
        Block::Remark(words.transcript_notice.to_owned()),
        Block::Gap,
        Block::Table(Table {
            columns: vec![column(words.time, 0.17), column(words.spoken, 0.83)],
            ruled: false,
            rows: report.transcript.iter().map(spoken_row).collect(),
        }),
    ]
}

fn spoken_row(line: &SpokenLine) -> Vec<String> {
    let (start, end) = (audio_position(line.start), audio_position(line.end));
    vec![format!("{start} – {end}"), line.text.expose().clone()]
}

/// In groups of eight digits, which eyes can compare.
fn spaced_hex(digest: &[u8; 32]) -> String {
    let groups: Vec<String> = digest
        .chunks(4)
        .map(|chunk| chunk.iter().map(|byte| format!("{byte:02x}")).collect())
        .collect();
    groups.join(" ")
}

fn section(text: &str) -> Block {
    Block::Heading {
        level: Level::Section,
        text: text.to_owned(),
    }
}

fn fact(label: &str, value: &str) -> (String, String) {
    let value = if value.trim().is_empty() {
        "–"
    } else {
        value
    };
    (label.to_owned(), value.to_owned())
}

fn column(title: &str, share: f32) -> Column {
    Column {
        title: title.to_owned(),
        share,
    }
}
