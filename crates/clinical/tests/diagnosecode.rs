//! The coder on an extract of the official ICD-10-CM (public domain): a couple of dozen categories, as published.

use std::{path::Path, sync::LazyLock};

use hysio_clinical::diagnosecode::{
    Engine, Error, MAX_TEXT_BYTES, Query,
    catalogue::{self, Inputs, file},
};
use hysio_model::diagnosis::{CodeSystem, Suggestion};
use proptest::prelude::*;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    Engine::new(catalogue::build(&Inputs::new(&folder, None)).expect("the extract is complete"))
});

fn suggest(text: &str) -> Vec<Suggestion> {
    ENGINE
        .suggest(text, &Query::default())
        .expect("the text is short and the limit valid")
}

fn codes(text: &str) -> Vec<String> {
    suggest(text)
        .into_iter()
        .map(|suggestion| suggestion.code)
        .collect()
}

#[test]
fn phrases_lead_to_the_billable_code_that_a_coder_would_give() {
    for (text, code) in [
        ("T2DM with neuropathy", "E11.40"),
        ("T2DM w/ neuropathy", "E11.40"),
        (
            "type II diabetes mellitus with diabetic neuropathy",
            "E11.40",
        ),
        ("high blood pressure", "I10"),
        ("knee pain", "M25.569"),
        ("pain in the left knee", "M25.562"),
        ("right knee pain", "M25.561"),
        ("pijn linkerknie na val", "M25.562"),
        ("lage rugpijn", "M54.50"),
        ("diabetes melitus type 2", "E11.9"),
        ("pnuemonia", "J18.9"),
        ("migrane without aura", "G43.009"),
        ("kidney stone", "N20.0"),
        ("niersteen", "N20.0"),
        ("shingles", "B02.9"),
        ("UTI", "N39.0"),
        ("sprain of the left ankle", "S93.402A"),
        ("sprain of the left ankle, follow-up", "S93.402D"),
        ("allergic contact dermatitis to Ni", "L23.0"),
        ("family history of breast cancer", "Z80.3"),
    ] {
        let found = codes(text);
        assert_eq!(
            found.first().map(String::as_str),
            Some(code),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn a_note_is_coded_by_what_is_present() {
    let found = codes(
        "Pain in the left knee since a fall yesterday. No fever or cough. Her mother has type 2 diabetes. Pneumonia was \
         ruled out. She also has essential hypertension and migraine.",
    );
    for present in ["M25.562", "I10"] {
        assert!(
            found.contains(&present.to_owned()),
            "{present} is missing of {found:?}"
        );
    }
    for absent in ["R50", "R05", "E11", "J18"] {
        assert!(
            found.iter().all(|code| !code.starts_with(absent)),
            "{absent} is in {found:?}"
        );
    }
}

#[test]
fn denied_and_bygone_findings_of_a_phrase_are_not_suggested() {
    for text in [
        "no fever",
        "denies cough",
        "geen koorts",
        "history of appendicitis",
    ] {
        let found = codes(text);
        let present = |code: &String| !code.starts_with('Z');
        assert!(!found.iter().any(present), "{text}: {found:?}");
    }
}

#[test]
fn texts_that_say_nothing_are_given_nothing() {
    for text in [
        "",
        "   \n\t",
        "!!! ??? ...",
        "\u{0}\u{1}\u{7f}",
        "🙂🙂",
        "<br/><p></p>",
    ] {
        assert_eq!(codes(text), Vec::<String>::new(), "{text:?}");
    }
}

#[test]
fn too_long_a_text_and_a_limit_out_of_range_are_refused() {
    let long = "a".repeat(MAX_TEXT_BYTES + 1);
    assert!(matches!(
        ENGINE.suggest(&long, &Query::default()),
        Err(Error::TooLong { .. })
    ));
    for limit in [0, 101] {
        let query = Query {
            limit,
            ..Query::default()
        };
        assert!(matches!(
            ENGINE.suggest("knee", &query),
            Err(Error::Limit { .. })
        ));
    }
}

#[test]
fn binary_data_is_refused() {
    let binary: String = (0..200_u8).map(|byte| char::from(byte % 16)).collect();
    assert!(matches!(
        ENGINE.suggest(&binary, &Query::default()),
        Err(Error::NotText)
    ));
}

#[test]
fn one_word_over_and_over_is_one_finding() {
    let text = "pneumonia ".repeat(MAX_TEXT_BYTES / 10);
    let found = suggest(&text);
    assert_eq!(found[0].code, "J18.9");
    assert!(
        found
            .iter()
            .all(|suggestion| suggestion.evidence.len() <= 64)
    );
}

/// The longest text that is taken, made of `part` with a number in it.
fn long_text(part: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for number in 0.. {
        let next = part(number);
        if text.len() + next.len() > MAX_TEXT_BYTES {
            break;
        }
        text.push_str(&next);
    }
    text
}

#[test]
fn the_longest_texts_of_any_kind_are_answered() {
    let letters = |number: usize| -> String {
        let name = |at: usize| {
            char::from(b'a' + u8::try_from(number / 26_usize.pow(at as u32) % 26).unwrap_or(0))
        };
        (0..4).map(name).collect()
    };
    for text in [
        long_text(|number| format!("hersenzenuw{}aandoening van de ", letters(number))),
        long_text(|number| format!("{0}{0}{0}{0}ziekte ", letters(number))),
        long_text(|_| "<div class=\"note\"><p>Left knee pain</p></div>".to_owned()),
        long_text(|_| "左膝の痛み。".to_owned()),
        long_text(|_| "боль в колене, ".to_owned()),
        long_text(|_| "x".to_owned()),
        long_text(|_| "pain left knee no fever ".to_owned()),
    ] {
        let found = suggest(&text);
        assert!(found.len() <= Query::default().limit);
        assert!(found.iter().all(|found| !found.evidence.is_empty()));
    }
}

#[test]
fn words_of_one_disease_do_not_speak_for_another_that_the_note_denies() {
    let found = codes(
        "Essential hypertension for ten years, treated with tablets. Seen today for low back pain after lifting a box. \
         No fever. No diabetes. Her father had pneumonia.",
    );
    assert!(found.contains(&"I10".to_owned()), "{found:?}");
    for absent in ["E11", "J18", "R50"] {
        assert!(
            found.iter().all(|code| !code.starts_with(absent)),
            "{found:?}"
        );
    }
}

#[test]
fn dutch_names_and_compounds_are_found() {
    for (text, code) in [
        ("suikerziekte", "E11.9"),
        ("familieanamnese met borstkanker", "Z80.3"),
        ("linkerkniepijn", "M25.562"),
        ("migraineaanval", "G43.909"),
    ] {
        let found = codes(text);
        assert!(found.contains(&code.to_owned()), "{text}: {found:?}");
    }
}

/// Dutch-looking words that no list knows, all different.
fn different_compounds(count: usize) -> String {
    (0..count)
        .map(|number| {
            let middle: String = (0..6)
                .map(|place| {
                    char::from(b'a' + u8::try_from((number >> (4 * place)) & 15).expect("below 16"))
                })
                .collect();
            format!("hout{middle}tafel de ")
        })
        .collect()
}

#[test]
fn texts_of_a_megabyte_that_nobody_wrote_are_answered_with_what_they_hold() {
    for (text, system, code) in [
        (different_compounds(55_000), CodeSystem::Icd10Cm, None),
        (different_compounds(55_000), CodeSystem::Dcsph, None),
        ("x".repeat(1_000_000), CodeSystem::Icd10Cm, None),
        ("left ".repeat(200_000), CodeSystem::Icd10Cm, None),
        (
            "diabetes mellitus type 2 ".repeat(40_000),
            CodeSystem::Icd10Cm,
            Some("E11.9"),
        ),
        (
            "artrose lage rug ".repeat(60_000),
            CodeSystem::Dcsph,
            Some("3423"),
        ),
    ] {
        let query = Query {
            system,
            ..Query::default()
        };
        let found = ENGINE.suggest(&text, &query).unwrap();
        let shown = &text[..30];
        match code {
            Some(code) => assert_eq!(found[0].code, code, "{shown}"),
            None => assert!(
                found.iter().all(|found| found.probability < 0.5),
                "{shown}: {found:?}"
            ),
        }
    }
}

#[test]
fn the_same_inputs_make_the_same_catalogue() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let out = tempfile::tempdir().unwrap();
    let built: Vec<Vec<u8>> = ["a", "b"]
        .iter()
        .map(|name| {
            let path = out.path().join(name);
            file::write(
                &catalogue::build(&Inputs::new(&folder, None)).unwrap(),
                &path,
            )
            .unwrap();
            std::fs::read(path).unwrap()
        })
        .collect();
    assert_eq!(built[0], built[1]);
}

#[test]
fn codes_are_found_with_and_without_dot_and_seventh_character() {
    let catalogue = ENGINE.catalogue();
    for (asked, found) in [
        ("M54.50", Some("M54.50")),
        ("m5450", Some("M54.50")),
        ("S93402A", Some("S93.402A")),
        ("E11", Some("E11")),
        ("S93.402Q", None),
        ("M54.5Q", None),
        ("é", None),
        ("", None),
    ] {
        assert_eq!(
            catalogue.find(asked).map(|code| code.code).as_deref(),
            found,
            "{asked}"
        );
    }
}

#[test]
fn a_folder_without_the_files_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = catalogue::build(&Inputs::new(folder.path(), None)).unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&folder.path().display().to_string())
    );
}

fn any_query() -> impl Strategy<Value = Query> {
    (
        prop_oneof![Just(CodeSystem::Icd10Cm), Just(CodeSystem::Dcsph)],
        1..=20_usize,
    )
        .prop_map(|(system, limit)| Query {
            system,
            limit,
            ..Query::default()
        })
}

/// Clinical words, noise and both mixed.
fn any_text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        3 => prop::sample::select(vec![
            "diabetes", "pain", "left", "knee", "no", "Pneumonia.", "pijn", "enkel", "rug", "artrose", "with", "(acute)", "T2DM",
            "mother", "history", "of", "<b>", "é\u{301}", "İ", "ﬁ",
        ])
        .prop_map(str::to_owned),
        1 => "\\PC{0,12}".prop_map(String::from),
    ];
    prop::collection::vec(word, 0..40).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_suggestion_points_at_words_of_the_text(text in any_text(), query in any_query()) {
        let suggestions = ENGINE.suggest(&text, &query).unwrap();
        let characters: Vec<char> = text.chars().collect();
        prop_assert!(suggestions.len() <= query.limit);
        for suggestion in &suggestions {
            prop_assert!(!suggestion.evidence.is_empty());
            prop_assert!((0.0..=1.0).contains(&suggestion.probability));
            for evidence in &suggestion.evidence {
                prop_assert!(evidence.start < evidence.end && evidence.end <= characters.len());
                let words: String = characters[evidence.start..evidence.end].iter().collect();
                prop_assert_eq!(&words, &evidence.text);
            }
        }
    }

    #[test]
    fn the_same_text_gives_the_same_and_a_larger_limit_only_adds(text in any_text(), query in any_query()) {
        let few = ENGINE.suggest(&text, &query).unwrap();
        let more = ENGINE.suggest(&text, &Query { limit: query.limit + 5, ..query }).unwrap();
        prop_assert_eq!(&few[..], &more[..few.len()]);
        let mut codes: Vec<&str> = more.iter().map(|suggestion| suggestion.code.as_str()).collect();
        codes.sort_unstable();
        codes.dedup();
        prop_assert_eq!(codes.len(), more.len());
    }
}
