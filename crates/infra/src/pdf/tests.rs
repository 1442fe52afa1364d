use hysio_clinical::report::{AcceptedCode, Encounter, Patient, Signature, SoapNote, SpokenLine};
use hysio_model::{Phi, Specialty, diagnosis::CodeSystem, transcript::Language};
use jiff::{Timestamp, tz::TimeZone};

use super::*;

fn phi(text: &str) -> Phi<String> {
    Phi::new(text.to_owned())
}

fn report() -> EncounterReport {
    let at: Timestamp = "2026-11-23T13:05:00Z".parse().unwrap();
    EncounterReport {
        language: Language::Dutch,
        zone: TimeZone::fixed(jiff::tz::offset(1)),
        printed_at: at,
        facility: "Fysiotherapie De Brug".to_owned(),
        patient: Patient {
            name: phi("Anneloes Coëlho-van 't Wél"),
            birth_date: phi("1958-03-07"),
            mrn: phi("00412377"),
        },
        encounter: Encounter {
            at,
            clinician: "J. Vermeulen".to_owned(),
            specialty: Some(Specialty::Physiotherapy),
            language: Some(Language::Dutch),
        },
        note: SoapNote {
            subjective: phi(
                "Patiënt meldt pijn in de linkerknie.\n\n- erger bij traplopen\n- ’s nachts geen pijn",
            ),
            objective: phi("Flexie 110°, extensie 0°. Lachman negatief."),
            assessment: phi("Patellofemoraal pijnsyndroom; coördinatie naïef."),
            plan: Phi::default(),
        },
        codes: vec![AcceptedCode {
            system: CodeSystem::Icd10Cm,
            code: phi("M22.2X2"),
            title: phi("Patellofemoral disorders, left knee"),
            billable: true,
            evidence: vec![phi("pijn in de linkerknie")],
        }],
        signature: Some(Signature {
            by: "J. Vermeulen".to_owned(),
            at,
            version: 3,
            digest: [0xa5; 32],
        }),
        transcript: vec![SpokenLine {
            start: 0.0,
            end: 4.2,
            text: phi("Goedemorgen, waar heeft u last van?"),
        }],
    }
}

fn open(bytes: &[u8]) -> lopdf::Document {
    lopdf::Document::load_mem(bytes).unwrap()
}

/// All text, its white space made single spaces.
fn text(bytes: &[u8]) -> String {
    let document = open(bytes);
    let pages: Vec<u32> = document.get_pages().into_keys().collect();
    let text = document.extract_text(&pages).unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn page_count(bytes: &[u8]) -> usize {
    open(bytes).get_pages().len()
}

#[test]
fn a_signed_report_says_everything_that_is_in_the_record() {
    let pdf = render(&report()).unwrap();
    let text = text(&pdf);
    for wanted in [
        "Consultverslag",
        "Fysiotherapie De Brug",
        "Anneloes Coëlho-van 't Wél",
        "1958-03-07",
        "00412377",
        "2026-11-23 14:05",
        "Fysiotherapie",
        "Patiënt meldt pijn in de linkerknie.",
        "erger bij traplopen",
        "Flexie 110°, extensie 0°",
        "coördinatie naïef",
        "Niets genoteerd.",
        "M22.2X2",
        "Patellofemoral disorders, left knee",
        "“pijn in de linkerknie”",
        "a5a5a5a5",
        "Goedemorgen, waar heeft u last van?",
        "1 / 2",
        "2 / 2",
    ] {
        assert!(text.contains(wanted), "{wanted:?} is missing from:\n{text}");
    }
    assert!(!text.contains("CONCEPT"));
}

#[test]
fn a_draft_says_so_on_every_page() {
    let mut draft = report();
    draft.signature = None;
    draft.language = Language::English;
    let pdf = render(&draft).unwrap();
    assert_eq!(
        text(&pdf).matches("DRAFT – not signed").count(),
        page_count(&pdf)
    );
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    assert_eq!(render(&report()).unwrap(), render(&report()).unwrap());
}

#[test]
fn the_file_carries_title_language_tags_and_bookmarks() {
    let document = open(&render(&report()).unwrap());
    let catalog = document.catalog().unwrap();
    assert_eq!(catalog.get(b"Lang").unwrap().as_str().unwrap(), b"nl");
    assert!(catalog.has(b"StructTreeRoot"));
    let toc = document.get_toc().unwrap();
    let titles: Vec<&str> = toc.toc.iter().map(|entry| entry.title.as_str()).collect();
    for wanted in [
        "Verslag",
        "Subjectief",
        "Diagnosecodes",
        "Bijlage: transcript",
    ] {
        assert!(titles.contains(&wanted), "{wanted:?} is not in {titles:?}");
    }
    let metadata = document.get_object(catalog.get(b"Metadata").unwrap().as_reference().unwrap());
    let xmp = metadata.unwrap().as_stream().unwrap();
    let xmp = String::from_utf8(xmp.get_plain_content().unwrap()).unwrap();
    assert!(
        xmp.contains("Hysio") && xmp.contains("Consultverslag"),
        "{xmp}"
    );
    assert!(xmp.contains("pdfuaid"), "{xmp}");
}

#[test]
fn a_long_note_runs_over_pages_and_loses_no_line() {
    let mut long = report();
    let lines: Vec<String> = (0..300)
        .map(|number| {
            format!(
                "Regel {number:04}: {}",
                "onveranderde klachten ".repeat(number % 9)
            )
        })
        .collect();
    long.note.subjective = phi(&lines.join("\n"));
    let pdf = render(&long).unwrap();
    let text = text(&pdf);
    for number in 0..300 {
        assert!(
            text.contains(&format!("Regel {number:04}:")),
            "line {number}"
        );
    }
    let pages = page_count(&pdf);
    assert!(text.contains(&format!("{pages} / {pages}")));
}

#[test]
fn text_of_any_kind_is_printed_without_failing() {
    let mut odd = report();
    odd.note.subjective = phi(
        "疼痛 ألم боль πόνος 🙂 e\u{301}\u{0}\u{7}\u{feff}\u{e000}\u{10ffff}\u{fffe} \t\u{202e}x",
    );
    odd.note.objective = phi(&"\u{301}".repeat(5000));
    odd.note.assessment = phi(&"w".repeat(20_000));
    odd.note.plan = phi(&"\n".repeat(20_000));
    odd.codes[0].evidence = vec![phi(&"woord ".repeat(3000))];
    odd.transcript[0].start = f64::NAN;
    odd.patient.name = phi(&"Ω".repeat(200));
    odd.encounter.clinician = String::new();
    let pdf = render(&odd).unwrap();
    let text = text(&pdf);
    assert!(text.contains("боль πόνος"), "{text}");
}

#[test]
fn a_megabyte_and_ten_thousand_segments_are_printed() {
    let mut large = report();
    large.note.subjective = phi(&"Patiënt meldt pijn bij traplopen en knielen. ".repeat(23_000));
    large.transcript = (0..10_000)
        .map(|number| SpokenLine {
            start: f64::from(number),
            end: f64::from(number + 1),
            text: phi("Ja, dat klopt, vooral ’s ochtends en na lang zitten."),
        })
        .collect();
    let pages = page_count(&render(&large).unwrap());
    assert!((300..MOST_PAGES).contains(&pages), "{pages} pages");
}

#[test]
fn what_is_too_long_is_refused_and_not_repeated() {
    let mut much = report();
    much.note.plan = phi(&"a ".repeat(MOST_TEXT_BYTES));
    assert!(matches!(render(&much), Err(Error::TooMuchText { .. })));

    let mut pages = report();
    pages.note.plan = phi(&"a\n".repeat(500_000));
    assert_eq!(render(&pages), Err(Error::TooManyPages));

    let mut name = report();
    name.patient.name = phi(&"Jansen ".repeat(500));
    let error = render(&name).unwrap_err().to_string();
    assert!(
        error.contains("the patient's name") && !error.contains("Jansen"),
        "{error}"
    );
}

fn plan(blocks: Vec<document::Block>) -> document::Document {
    document::Document {
        title: "A plan".to_owned(),
        language: "en",
        created: "2026-11-23T13:05:00Z".parse().unwrap(),
        header: ("A plan".to_owned(), String::new()),
        footer: String::new(),
        watermark: None,
        blocks,
    }
}

#[test]
fn a_figure_is_drawn_and_told_to_those_who_do_not_see_it() {
    use document::{Anchor, Block, Figure, Shape};

    let figure = |shapes| Figure {
        alternative: "Demand by the hour, with its peak at noon".to_owned(),
        width: 200.0,
        height: 100.0,
        shapes,
    };
    let drawn = vec![
        Shape::Area {
            outline: vec![(0.0, 90.0), (50.0, 10.0), (100.0, 90.0)],
            colour: [0, 114, 178],
            opacity: 0.3,
        },
        Shape::Line {
            points: vec![(0.0, 50.0), (200.0, 50.0)],
            colour: [213, 94, 0],
            width: 2.0,
            dashed: true,
        },
        // Of one point there is nothing to draw.
        Shape::Line {
            points: vec![(0.0, 50.0)],
            colour: [0, 0, 0],
            width: 1.0,
            dashed: false,
        },
        Shape::Words {
            text: "noon".to_owned(),
            x: 100.0,
            y: 98.0,
            anchor: Anchor::Middle,
        },
    ];
    // Two fit on a page: each is whole on its page.
    let figures = (0..5).map(|_| Block::Figure(figure(drawn.clone())));
    let pdf = render_document(&plan(figures.collect())).unwrap();
    assert!(text(&pdf).contains("noon"));
    assert_eq!(page_count(&pdf), 3);
    let figures = open(&pdf)
        .objects
        .values()
        .filter_map(|object| object.as_dict().ok())
        .filter(|it| {
            it.get(b"S").and_then(lopdf::Object::as_name).ok() == Some(b"Figure".as_slice())
        })
        .filter(|it| it.has(b"Alt"))
        .count();
    assert_eq!(figures, 5);
}

#[test]
fn a_table_that_would_begin_at_the_foot_of_a_page_begins_on_the_next() {
    use document::{Block, Column, Table};

    let column = |title: &str| Column {
        title: title.to_owned(),
        share: 0.25,
    };
    let table = || Table {
        columns: ["month", "median", "highest", "cost"].map(column).into(),
        rows: vec![vec![
            "January".to_owned(),
            "5".to_owned(),
            "9".to_owned(),
            "100".to_owned(),
        ]],
        ruled: true,
    };
    // Wherever the text before it ends.
    for lines in 1..60 {
        let document = plan(vec![
            Block::Text("A line.\n".repeat(lines)),
            Block::Table(table()),
        ]);
        let pdf = render_document(&document).unwrap();
        assert!(page_count(&pdf) <= 2, "{lines} lines");
    }
}
