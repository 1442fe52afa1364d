//! From a recording to a signed record, and what may not happen on the way.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::world::{Codes, Says, World};

fn note(version: &Value, text: &str) -> Value {
    json!({ "version": version, "subjective": text, "objective": "o", "assessment": "a", "plan": "p" })
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story, told in its order")]
async fn a_dictation_becomes_a_signed_coded_record() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    let encounter = world.drafted(&anna).await;
    let record = format!("/api/records/{}", encounter["record"]["id"]);
    assert_eq!(
        encounter["record"]["subjective"],
        "Chest pain since Monday."
    );
    assert_eq!(encounter["record"]["plan"], "Rest.");
    assert_eq!(encounter["suggestions"][0]["evidence"][0]["text"], "Chest");

    let suggestion = format!(
        "/api/encounters/{}/suggestions/{}",
        encounter["id"].as_str().unwrap(),
        encounter["suggestions"][0]["id"].as_str().unwrap()
    );
    assert_eq!(
        anna.patch(&suggestion, &json!({ "decision": "accepted" }))
            .await
            .status,
        StatusCode::OK
    );
    let saved = anna
        .put(&record, &note(&json!(1), "Chest pain, better now."))
        .await;
    assert_eq!(
        (saved.status, &saved.body["version"]),
        (StatusCode::OK, &json!(2)),
        "{}",
        saved.text
    );
    let signed = anna
        .post(&format!("{record}/sign"), &json!({ "version": 2 }))
        .await;
    assert_eq!(signed.status, StatusCode::OK, "{}", signed.text);
    assert_eq!(signed.body["state"], "signed");
    assert_eq!(signed.body["codes"][0]["code"], "R07.9");
    assert_eq!(signed.body["signed_by_name"], "Name of anna@north");

    assert_eq!(
        anna.put(&record, &note(&json!(3), "late")).await.body["type"],
        "/problems/signed"
    );
    assert_eq!(
        anna.patch(&suggestion, &json!({ "decision": "rejected" }))
            .await
            .body["type"],
        "/problems/signed"
    );
    assert_eq!(
        anna.post(&format!("{record}/amend"), &json!({})).await.body["state"],
        "draft"
    );
    let amended = anna.put(&record, &note(&json!(4), "Amended.")).await;
    assert_eq!(amended.status, StatusCode::OK, "{}", amended.text);

    let versions = anna.get(&format!("{record}/versions")).await;
    let states: Vec<_> = versions.body["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| (v["version"].clone(), v["state"].clone()))
        .collect();
    let expected = [
        (5, "draft"),
        (4, "draft"),
        (3, "signed"),
        (2, "draft"),
        (1, "draft"),
    ]
    .map(|(v, s)| (json!(v), json!(s)));
    assert_eq!(states, expected);
    let third = anna.get(&format!("{record}/versions/3")).await;
    assert_eq!(
        third.body["subjective"], "Chest pain, better now.",
        "the signed version is as it was signed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_edit_at_once_the_second_is_shown_what_the_first_wrote() {
    let world = World::new().await;
    let (anna, ben) = (
        world.sign_in("anna@north").await,
        world.sign_in("ben@north").await,
    );
    let encounter = world.drafted(&anna).await;
    let record = format!("/api/records/{}", encounter["record"]["id"]);
    assert_eq!(
        anna.put(&record, &note(&json!(1), "Anna's")).await.status,
        StatusCode::OK
    );
    let refused = ben.put(&record, &note(&json!(1), "Ben's")).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert_eq!(refused.body["type"], "/problems/stale-version");
    assert_eq!(refused.body["current"]["subjective"], "Anna's");
    // Nor is it another's own words when they happen to be the same.
    let same = ben.put(&record, &note(&json!(1), "Anna's")).await;
    assert_eq!(same.status, StatusCode::CONFLICT);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_whose_answer_was_lost_is_answered_again_and_makes_no_second_version() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    let encounter = world.drafted(&anna).await;
    let record = format!("/api/records/{}", encounter["record"]["id"]);
    let first = anna.put(&record, &note(&json!(1), "once")).await;
    let again = anna.put(&record, &note(&json!(1), "once")).await;
    assert_eq!(
        (again.status, &again.body),
        (StatusCode::OK, &first.body),
        "the same answer"
    );
    assert_eq!(anna.get(&record).await.body["version"], 2);
    anna.put(&record, &note(&json!(2), "twice")).await;
    let late = anna.put(&record, &note(&json!(1), "once")).await;
    assert_eq!(late.status, StatusCode::CONFLICT, "it was written over");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_saves_at_once_lose_none_and_double_none() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    let encounter = world.drafted(&anna).await;
    let record = format!("/api/records/{}", encounter["record"]["id"]);
    let bodies: Vec<_> = (0..100)
        .map(|number| note(&json!(1), &format!("text {number}")))
        .collect();
    let saves = futures::future::join_all(bodies.iter().map(|body| anna.put(&record, body))).await;
    let won = saves
        .iter()
        .filter(|answer| answer.status == StatusCode::OK)
        .count();
    let lost = saves
        .iter()
        .filter(|answer| answer.status == StatusCode::CONFLICT)
        .count();
    assert_eq!((won, lost), (1, 99));
    assert_eq!(
        anna.get(&format!("{record}/versions")).await.body["versions"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_that_cannot_be_stored_is_refused_and_nothing_is_lost() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    let encounter = world.drafted(&anna).await;
    let record = format!("/api/records/{}", encounter["record"]["id"]);
    for text in ["x".repeat(200_001), "nul\0".to_owned()] {
        let refused = anna.put(&record, &note(&json!(1), &text)).await;
        assert_eq!(
            (refused.status, &refused.body["field"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("subjective"))
        );
    }
    assert_eq!(anna.get(&record).await.body["version"], 1);
    let arabic = anna
        .put(&record, &note(&json!(1), "ألم في الصدر 胸痛 🫀"))
        .await;
    assert_eq!(arabic.body["subjective"], "ألم في الصدر 胸痛 🫀");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_of_a_signed_record_is_a_pdf_for_its_version() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    let encounter = world.drafted(&anna).await;
    let record = format!("/api/records/{}", encounter["record"]["id"]);
    assert_eq!(
        anna.post(&format!("{record}/sign"), &json!({ "version": 1 }))
            .await
            .status,
        StatusCode::OK
    );
    assert_eq!(
        anna.get(&format!("{record}/report.pdf")).await.status,
        StatusCode::NOT_FOUND
    );
    let worker = world
        .worker(Says::words(""), Codes::one("R07.9", "x"))
        .await;
    let job = anna.post(&format!("{record}/report"), &json!({})).await;
    assert_eq!(job.status, StatusCode::ACCEPTED, "{}", job.text);
    let events = anna
        .get(&format!(
            "/api/jobs/{}/events",
            job.body["job"]["id"].as_str().unwrap()
        ))
        .await;
    assert!(events.text.contains("event: done"), "{}", events.text);
    let pdf = anna.get(&format!("{record}/report.pdf")).await;
    assert!(
        pdf.text.starts_with("%PDF-"),
        "{}",
        pdf.text.chars().take(80).collect::<String>()
    );
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn patients_are_found_by_the_beginning_of_a_name_their_number_and_their_birth_date() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    for (given, family, birth, mrn) in [
        ("Zoë", "van den Berg", "1990-03-04", "P-1"),
        ("Jan", "Bergman", "1985-01-02", "P-2"),
    ] {
        let added = anna.post("/api/patients", &json!({ "given_name": given, "family_name": family, "birth_date": birth, "sex": "other", "mrn": mrn })).await;
        assert_eq!(added.status, StatusCode::CREATED, "{}", added.text);
    }
    for (typed, expected) in [
        ("berg", 2),
        ("zoe be", 1),
        ("P-2", 1),
        ("1990-03-04", 1),
        ("erg", 0),
        ("", 2),
    ] {
        let found = anna.get(&format!("/api/patients?q={typed}")).await;
        assert_eq!(
            found.body["patients"].as_array().unwrap().len(),
            expected,
            "{typed:?}: {}",
            found.text
        );
    }
    let taken = anna.post("/api/patients", &json!({ "given_name": "A", "family_name": "B", "birth_date": "1990-03-04", "sex": "male", "mrn": "P-1" })).await;
    assert_eq!(
        (taken.status, &taken.body["type"]),
        (StatusCode::CONFLICT, &json!("/problems/mrn-taken"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_hold_every_patient_once() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    for n in 0..7 {
        anna.post("/api/patients", &json!({ "given_name": format!("P{n}"), "family_name": "X", "birth_date": "1990-03-04", "sex": "male" })).await;
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = anna
            .get(&format!("/api/patients?limit=3&cursor={cursor}"))
            .await;
        seen.extend(
            page.body["patients"]
                .as_array()
                .unwrap()
                .iter()
                .map(|p| p["given_name"].as_str().unwrap().to_owned()),
        );
        match page.body["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, ["P6", "P5", "P4", "P3", "P2", "P1", "P0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_makes_one_thing_and_a_changed_one_is_refused() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    let body =
        json!({ "given_name": "A", "family_name": "B", "birth_date": "1990-03-04", "sex": "male" });
    let first = anna.post_with_key("/api/patients", "same", &body).await;
    let second = anna.post_with_key("/api/patients", "same", &body).await;
    assert_eq!(first.body["id"], second.body["id"]);
    let mut changed = body.clone();
    changed["given_name"] = json!("C");
    let refused = anna.post_with_key("/api/patients", "same", &changed).await;
    assert_eq!(refused.body["type"], "/problems/idempotency-key-reused");
    let at_once = futures::future::join_all(
        (0..10).map(|_| anna.post_with_key("/api/patients", "race", &body)),
    )
    .await;
    assert!(
        at_once
            .iter()
            .all(|a| [StatusCode::CREATED, StatusCode::CONFLICT].contains(&a.status))
    );
    assert_eq!(
        anna.get("/api/patients").await.body["patients"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}
