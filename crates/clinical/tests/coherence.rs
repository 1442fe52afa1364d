//! Several codes of one text: they don't contradict each other, suit the patient, and learn from use. On the extract of
//! ICD-10-CM.

use std::{path::Path, sync::LazyLock};

use hysio_clinical::diagnosecode::{
    Engine, Patient, Query, Sex,
    catalogue::{self, Inputs},
    learning::{Lesson, normalised, rerank},
};
use hysio_model::{
    Specialty,
    diagnosis::{CautionKind, CodeSystem, Suggestion},
};
use proptest::prelude::*;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    Engine::new(catalogue::build(&Inputs::new(&folder, None)).expect("the extract is complete"))
});

fn suggest(text: &str, patient: Patient) -> Vec<Suggestion> {
    let query = Query {
        limit: 50,
        patient,
        ..Query::default()
    };
    ENGINE.suggest(text, &query).expect("the text is short")
}

fn place(suggestions: &[Suggestion], prefix: &str) -> usize {
    suggestions
        .iter()
        .position(|suggestion| suggestion.code.starts_with(prefix))
        .unwrap_or_else(|| panic!("{prefix} is not among the suggestions"))
}

fn caution(suggestion: &Suggestion, kind: CautionKind) -> Option<&str> {
    suggestion
        .cautions
        .iter()
        .find(|caution| caution.kind == kind)
        .map(|caution| caution.reason.as_str())
}

#[test]
fn of_two_codes_that_exclude_each_other_the_weaker_says_why() {
    let found = suggest(
        "Type 2 diabetes mellitus with neuropathy. The referral said type 1 diabetes mellitus.",
        Patient::default(),
    );
    let (first, second) = (place(&found, "E11"), place(&found, "E10"));
    let weaker = &found[first.max(second)];
    let stronger = &found[first.min(second)];
    let reason = caution(weaker, CautionKind::Excluded).expect("the weaker is marked");
    assert!(
        reason.contains(&stronger.code) && reason.contains("Excludes 1 at"),
        "{reason}"
    );
    assert_eq!(caution(stronger, CautionKind::Excluded), None);
}

#[test]
fn a_sign_gives_way_to_the_diagnosis_that_it_belongs_to() {
    let alone = suggest(
        "Cough for two weeks. Essential hypertension.",
        Patient::default(),
    );
    assert_eq!(
        caution(&alone[place(&alone, "R05")], CautionKind::Explained),
        None
    );
    let found = suggest(
        "Cough and fever for two weeks. Pneumonia on the chest film. Pneumonia, unspecified organism.",
        Patient::default(),
    );
    let pneumonia = &found[place(&found, "J18")];
    let cough = &found[place(&found, "R05")];
    if pneumonia.probability >= 0.5 {
        let reason = caution(cough, CautionKind::Explained).expect("cough belongs to pneumonia");
        assert!(reason.contains("J18"), "{reason}");
        assert!(place(&found, "J18") < place(&found, "R05"));
    } else {
        assert_eq!(caution(cough, CautionKind::Explained), None);
    }
}

#[test]
fn a_code_that_the_catalogue_asks_for_is_tied_to_its_principal_with_evidence_of_its_own() {
    let found = suggest(
        "Malignant neoplasm of the upper lobe of the left lung. Personal history of nicotine dependence.",
        Patient::default(),
    );
    let history = &found[place(&found, "Z87.891")];
    let companion = history.companion.as_ref().expect("C34 asks for it");
    assert!(companion.of.starts_with("C34"), "{companion:?}");
    assert_eq!(companion.relation, "Use additional code");
    assert!(companion.instruction.contains("(at C34)"), "{companion:?}");
    assert!(
        history
            .evidence
            .iter()
            .any(|evidence| evidence.text.contains("nicotine"))
    );
}

#[test]
fn what_does_not_suit_the_patient_is_marked_and_falls() {
    let text = "Breast cancer.";
    let man = Patient {
        age_years: Some(70),
        sex: Some(Sex::Male),
    };
    let found = suggest(text, man);
    let unsuitable = |suggestion: &Suggestion| caution(suggestion, CautionKind::Sex).is_some();
    let first_unsuitable = found
        .iter()
        .position(unsuitable)
        .expect("female breast is among them");
    assert!(
        found[first_unsuitable].title.contains("female"),
        "{}",
        found[first_unsuitable].title
    );
    assert!(!unsuitable(&found[0]), "{}", found[0].title);
    assert!(
        suggest(text, Patient::default())
            .iter()
            .all(|suggestion| !unsuitable(suggestion))
    );
}

fn lesson(code: &str, phrase: Option<&str>, accepted: u32, rejected: u32) -> Lesson {
    Lesson {
        system: CodeSystem::Icd10Cm,
        code: code.to_owned(),
        title: format!("title of {code}"),
        billable: true,
        specialty: Some(Specialty::Cardiology),
        phrase: phrase.map(|phrase| normalised(phrase).expect("it can be taught")),
        accepted,
        rejected,
        shared: false,
    }
}

fn moved(text: &str, lessons: &[Lesson]) -> Vec<Suggestion> {
    let suggestions = suggest(text, Patient::default());
    let specialty = Some(Specialty::Cardiology);
    rerank(
        text,
        suggestions,
        lessons,
        CodeSystem::Icd10Cm,
        specialty,
        10,
    )
}

#[test]
fn what_a_clinic_chooses_rises_and_what_it_rejects_falls_and_both_say_how_often() {
    let text = "knee pain";
    let before = moved(text, &[]);
    let (first, second) = (before[0].code.clone(), before[1].code.clone());
    let after = moved(
        text,
        &[lesson(&first, None, 1, 40), lesson(&second, None, 12, 1)],
    );
    assert_eq!(after[0].code, second);
    let learnt = after[0].learnt.as_ref().expect("it was learnt");
    assert_eq!((learnt.accepted, learnt.decided), (12, 13));
    assert!(place(&after, &first) > 0);
}

#[test]
fn words_that_were_taught_suggest_their_code_where_they_are_said_and_not_denied() {
    let lessons = [lesson("M25.562", Some("Wonky knees"), 3, 0)];
    let found = moved("He has a wonky knee again 🙂", &lessons);
    let taught = &found[place(&found, "M25.562")];
    assert_eq!(taught.evidence[0].text, "wonky knee");
    assert_eq!(
        taught
            .learnt
            .as_ref()
            .and_then(|learnt| learnt.phrase.as_deref()),
        Some("wonky knees")
    );
    assert!(
        (taught.probability - 0.8).abs() < 1e-9,
        "{}",
        taught.probability
    );
    for text in [
        "No wonky knees.",
        "wonky. Knees are fine.",
        "Mother has wonky knees",
    ] {
        let found = moved(text, &lessons);
        assert!(
            found.iter().all(|suggestion| suggestion.learnt.is_none()),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn a_specialty_with_few_decisions_of_its_own_borrows_those_of_the_facility() {
    let elsewhere = Lesson {
        specialty: Some(Specialty::Neurology),
        ..lesson("I10", None, 9, 0)
    };
    let found = moved("hypertension", std::slice::from_ref(&elsewhere));
    assert_eq!(
        found[0].learnt.as_ref().map(|learnt| learnt.decided),
        Some(9)
    );
    let found = moved("hypertension", &[elsewhere, lesson("I10", None, 1, 3)]);
    let learnt = found[place(&found, "I10")]
        .learnt
        .clone()
        .expect("it was learnt");
    assert_eq!((learnt.accepted, learnt.decided), (1, 4));
}

#[test]
fn sentences_and_single_letters_are_not_taught() {
    for phrase in ["", "a", "…", "one two three four five six seven eight nine"] {
        assert_eq!(normalised(phrase), None, "{phrase}");
    }
    assert_eq!(
        normalised("  Frozen  SHOULDER. ").as_deref(),
        Some("frozen shoulder")
    );
}

#[test]
fn searching_finds_words_by_their_beginnings_in_both_systems() {
    let first = |system, typed: &str| {
        ENGINE
            .search(system, typed, 5)
            .into_iter()
            .next()
            .map(|row| row.code)
    };
    assert_eq!(first(CodeSystem::Icd10Cm, "pneum").as_deref(), Some("J18"));
    assert_eq!(
        first(CodeSystem::Icd10Cm, "pai low b").as_deref(),
        Some("M54.50")
    );
    assert_eq!(first(CodeSystem::Dcsph, "3423").as_deref(), Some("3423"));
    assert!(
        ENGINE
            .search(CodeSystem::Dcsph, "lumb artr", 20)
            .iter()
            .any(|row| row.code == "3423")
    );
    assert_eq!(first(CodeSystem::Dcsph, "zzz"), None);
    assert!(
        ENGINE
            .search(CodeSystem::Icd10Cm, &"a".repeat(10_000), 5)
            .is_empty()
    );
}

#[test]
fn a_retired_code_is_shown_as_such_and_its_successors_are_found() {
    let shown = ENGINE
        .show(CodeSystem::Icd10Cm, "t40.7x1a")
        .expect("it was a code once");
    assert!(!shown.billable);
    assert_eq!(shown.retired.expect("it says so").successors, ["T40.711A"]);
    assert!(ENGINE.find(CodeSystem::Icd10Cm, "T40.7X1A").is_err());
    let still_there = ENGINE
        .show(CodeSystem::Icd10Cm, "M54.5")
        .expect("a category now");
    assert_eq!(
        still_there.retired.expect("it was billable once").since,
        "2021-10-01"
    );
    assert!(
        ENGINE
            .show(CodeSystem::Icd10Cm, "M54.50")
            .expect("in use")
            .retired
            .is_none()
    );
}

#[test]
fn all_that_is_known_of_a_code_is_shown() {
    let shown = ENGINE
        .show(CodeSystem::Icd10Cm, "M25.562")
        .expect("in the extract");
    let laterality = shown.laterality.expect("it has a side");
    assert_eq!(laterality.side, "left");
    let others: Vec<&str> = laterality
        .others
        .iter()
        .map(|row| row.code.as_str())
        .collect();
    assert_eq!(others, ["M25.561", "M25.569"]);
    assert!(shown.block.expect("in a block").starts_with("M20-M25"));
    let shown = ENGINE
        .show(CodeSystem::Icd10Cm, "M54.50")
        .expect("in the extract");
    assert!(
        shown
            .notes
            .iter()
            .any(|note| note.code == "M50-M54" && note.kind == "Excludes 1")
    );
    let shown = ENGINE
        .show(CodeSystem::Icd10Cm, "S93.402A")
        .expect("in the extract");
    assert!(
        shown
            .seventh_characters
            .iter()
            .any(|seventh| seventh.character == 'A')
    );
    let shown = ENGINE
        .show(CodeSystem::Icd10Cm, "C50.922")
        .expect("in the extract");
    assert_eq!(shown.edits[0].meaning, "for male patients");
}

#[test]
fn dutch_titles_that_a_user_imports_are_searched_and_matched() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("titels.csv");
    std::fs::write(
        &file,
        "N20.0;Kalkstenen in de nier\nI10;Wonderlijke vatkwaal\nQ99;Niet in de lijst\n",
    )
    .unwrap();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let inputs = Inputs::new(&data, None).with_dutch_titles(Some(file));
    let engine = Engine::new(catalogue::build(&inputs).expect("built"));
    let found = engine
        .suggest("wonderlijke vatkwaal", &Query::default())
        .unwrap();
    assert_eq!(found[0].code, "I10");
    assert_eq!(found[0].evidence[0].term, "Wonderlijke vatkwaal");
    let shown = engine.show(CodeSystem::Icd10Cm, "N20.0").unwrap();
    assert_eq!(shown.dutch_title.as_deref(), Some("Kalkstenen in de nier"));
    assert_eq!(
        engine.search(CodeSystem::Icd10Cm, "vatkw", 3)[0].code,
        "I10"
    );
}

#[test]
fn a_file_without_dutch_titles_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("leeg.csv");
    std::fs::write(&file, "nothing here\n").unwrap();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let error =
        catalogue::build(&Inputs::new(&data, None).with_dutch_titles(Some(file))).unwrap_err();
    assert!(error.to_string().contains("leeg.csv"), "{error}");
}

fn any_patient() -> impl Strategy<Value = Patient> {
    (
        prop::option::of(0..120_u16),
        prop_oneof![Just(None), Just(Some(Sex::Male)), Just(Some(Sex::Female))],
    )
        .prop_map(|(age_years, sex)| Patient { age_years, sex })
}

fn any_text() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "type",
        "1",
        "2",
        "diabetes",
        "pneumonia.",
        "cough",
        "fever",
        "lung",
        "breast",
        "cancer",
        "migraine",
        "without",
        "aura.",
        "no",
        "left",
        "knee",
        "pain",
        "nicotine",
        "dependence",
        "🙂",
        "hypertension.",
    ]);
    prop::collection::vec(word, 0..30).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_patient_and_the_rules_neither_invent_nor_lose_order_or_evidence(text in any_text(), patient in any_patient()) {
        let found = suggest(&text, patient);
        let characters: Vec<char> = text.chars().collect();
        for pair in found.windows(2) {
            prop_assert!(pair[0].probability >= pair[1].probability);
        }
        for suggestion in &found {
            prop_assert!(ENGINE.catalogue().find(&suggestion.code).is_some());
            prop_assert!(!suggestion.evidence.is_empty());
            for evidence in &suggestion.evidence {
                let words: String = characters[evidence.start..evidence.end].iter().collect();
                prop_assert_eq!(&words, &evidence.text);
            }
            for code in suggestion.cautions.iter().filter_map(|caution| caution.code.as_ref()) {
                prop_assert!(found.iter().any(|other| &other.code == code));
            }
        }
    }

    #[test]
    fn no_lesson_leaves_the_ranking_as_it_was(text in any_text()) {
        let before = suggest(&text, Patient::default());
        let after = rerank(&text, before.clone(), &[], CodeSystem::Icd10Cm, None, 50);
        prop_assert_eq!(before, after);
    }
}
