//! The diagnosecode service over HTTP, on the extract of ICD-10-CM that the engine's tests use.

use std::{
    path::Path,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header},
};
use http_body_util::BodyExt;
use hysio::http::diagnosecode::{Answered, Hook, Options, Service, router};
use hysio_clinical::diagnosecode::{
    Engine, MAX_TEXT_BYTES,
    catalogue::{self, Inputs},
};
use serde_json::{Value, json};
use tower::ServiceExt;

static ENGINE: LazyLock<Arc<Engine>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../clinical/tests/data");
    let catalogue = catalogue::build(&Inputs::new(&folder, None)).expect("the extract is complete");
    Arc::new(Engine::new(catalogue))
});

fn service(hook: Option<Hook>) -> Router {
    let options = Options {
        workers: 2,
        cache_bytes: 1 << 20,
    };
    router(Service::new(Arc::clone(&ENGINE), options, hook))
}

async fn send(router: Router, request: Request<Body>) -> (StatusCode, String, Value) {
    let response = router
        .oneshot(request)
        .await
        .expect("the service cannot fail");
    let status = response.status();
    let kind = response.headers()[header::CONTENT_TYPE]
        .to_str()
        .expect("the request is valid")
        .to_owned();
    let body = response
        .into_body()
        .collect()
        .await
        .expect("the body is in memory")
        .to_bytes();
    (
        status,
        kind,
        serde_json::from_slice(&body).expect("the body is JSON"),
    )
}

fn post(body: impl Into<Body>) -> Request<Body> {
    Request::post("/v1/diagnosis-codes")
        .header(header::CONTENT_TYPE, "application/json")
        .body(body.into())
        .expect("the request is valid")
}

fn get(path: &str) -> Request<Body> {
    Request::get(path)
        .body(Body::empty())
        .expect("the request is valid")
}

#[tokio::test]
async fn a_text_is_answered_with_codes_and_the_words_behind_them() {
    let request = post(json!({"text": "pain in the left knee", "limit": 3}).to_string());
    let (status, _, body) = send(service(None), request).await;
    assert_eq!(status, StatusCode::OK);
    let first = &body["suggestions"][0];
    assert_eq!(first["code"], "M25.562");
    assert_eq!(first["system"], "ICD-10-CM");
    assert_eq!(first["evidence"][0]["text"], "pain");
    assert_eq!(body["catalogue"], "ICD-10-CM 2026");
    assert!(body["suggestions"].as_array().unwrap().len() <= 3);
}

#[tokio::test]
async fn a_second_asking_is_answered_from_memory_with_the_same_words() {
    let from_memory = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&from_memory);
    let hook: Hook = Arc::new(move |answered: &Answered| {
        count.fetch_add(usize::from(answered.from_cache), Ordering::SeqCst);
    });
    let service = service(Some(hook));
    let body = json!({"text": "T2DM with neuropathy"}).to_string();
    let (_, _, first) = send(service.clone(), post(body.clone())).await;
    let (_, _, second) = send(service, post(body)).await;
    assert_eq!(first, second);
    assert_eq!(from_memory.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn each_bad_request_is_told_what_is_wrong_without_its_text() {
    let long = json!({"text": "secret ".repeat(MAX_TEXT_BYTES / 7 + 1)}).to_string();
    for (body, status) in [
        ("{\"text\": \"secret".to_owned(), StatusCode::BAD_REQUEST),
        (
            json!({"texts": "secret"}).to_string(),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            json!({"text": "secret", "system": "ICD-9"}).to_string(),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            json!({"text": "secret", "limit": 0}).to_string(),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            json!({"text": "secret", "language": "fr"}).to_string(),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (long, StatusCode::PAYLOAD_TOO_LARGE),
        (
            "x".repeat(4 * MAX_TEXT_BYTES),
            StatusCode::PAYLOAD_TOO_LARGE,
        ),
    ] {
        let shown: String = body.chars().take(60).collect();
        let (found, kind, problem) = send(service(None), post(body)).await;
        assert_eq!(found, status, "{shown}");
        assert_eq!(kind, "application/problem+json", "{shown}");
        assert_eq!(problem["status"], status.as_u16(), "{shown}");
        assert!(
            !problem.to_string().contains("secret"),
            "{shown}: {problem}"
        );
    }
}

#[tokio::test]
async fn a_code_is_shown_with_its_notes_and_an_unknown_one_is_not_found() {
    let (status, _, body) = send(service(None), get("/v1/codes/ICD-10-CM/M54.50")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(body["title"], "Low back pain, unspecified");
    assert_eq!(body["above"][0]["code"], "M54.5");
    let (status, _, body) = send(service(None), get("/v1/codes/DCSPH/3423")).await;
    assert_eq!(
        (status, &body["title"]),
        (StatusCode::OK, &json!("Lumbale wervelkolom: Artrose"))
    );
    for path in ["/v1/codes/ICD-10-CM/Z99.99", "/v1/codes/DCSPH/0000"] {
        assert_eq!(
            send(service(None), get(path)).await.0,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    let (status, _, _) = send(service(None), get("/v1/codes/SNOMED/1")).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn codes_are_searched_by_their_start_or_by_words() {
    let (_, _, by_code) = send(service(None), get("/v1/codes?q=m25.56&limit=5")).await;
    assert_eq!(by_code[0]["code"], "M25.56");
    let (_, _, by_word) = send(service(None), get("/v1/codes?q=migraine%20without%20aura")).await;
    assert_eq!(by_word[0]["code"], "G43.009");
    let (status, _, _) = send(service(None), get("/v1/codes")).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
}

/// Dutch-looking words that no list knows, all different.
fn different_compounds(words: usize) -> String {
    (0..words)
        .map(|number| {
            let middle: String = (0..6)
                .map(|place| char::from(b'a' + u8::try_from((number >> (4 * place)) & 15).unwrap()))
                .collect();
            format!("hout{middle}tafel de ")
        })
        .collect()
}

#[tokio::test]
async fn texts_that_are_no_notes_are_answered_with_what_they_hold_and_no_more() {
    for (text, holds) in [
        (String::new(), false),
        ("\u{4e2d}\u{6587}\u{75c5}\u{5386}".repeat(2_000), false),
        ("боль в колене ".repeat(500), false),
        ("<script>alert('knee')</script>".to_owned(), false),
        ("<p>Pain in the <b>left knee</b></p>".to_owned(), true),
        ("🙂".repeat(10_000), false),
        ("pneumonia ".repeat(100_000), true),
        ("x".repeat(1_000_000), false),
        (different_compounds(40_000), false),
    ] {
        let shown: String = text.chars().take(30).collect();
        let request = post(json!({ "text": text }).to_string());
        let (status, _, body) = send(service(None), request).await;
        assert_eq!(status, StatusCode::OK, "{shown}");
        let suggestions = body["suggestions"].as_array().expect("a list");
        assert!(
            !holds || !suggestions.is_empty(),
            "{shown} has a finding: {body}"
        );
        let size = body.to_string().len();
        assert!(size < 200_000, "{shown}: an answer of {size} bytes");
    }
    let binary: String = (0..200_u8).map(|byte| char::from(byte % 16)).collect();
    let (status, _, _) = send(service(None), post(json!({ "text": binary }).to_string())).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_patient_is_taken_into_account_and_a_wrong_one_refused() {
    let ask = |body: Value| send(service(None), post(body.to_string()));
    let (_, _, body) = ask(json!({"text": "breast cancer", "sex": "male", "age": 70})).await;
    let first = &body["suggestions"][0];
    assert!(first["cautions"].is_null(), "{first}");
    let marked = body["suggestions"].as_array().expect("a list").iter();
    let marked = marked.filter(|one| one["cautions"][0]["kind"] == "sex");
    assert!(marked.count() > 0, "{body}");
    for wrong in [
        json!({"text": "x", "sex": "blue"}),
        json!({"text": "x", "age": -1}),
        json!({"text": "x", "age": "old"}),
    ] {
        let (status, _, _) = ask(wrong.clone()).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
    }
}

#[tokio::test]
async fn a_retired_code_is_gone_and_says_what_to_use() {
    let (status, kind, body) = send(service(None), get("/v1/codes/ICD-10-CM/T40.7X1A")).await;
    assert_eq!(status, StatusCode::GONE);
    assert_eq!(kind, "application/problem+json");
    assert_eq!(body["retired"]["successors"][0], "T40.711A");
    let (status, _, body) = send(service(None), get("/v1/codes/ICD-10-CM/M54.5")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(body["retired"]["since"], "2021-10-01");
}

#[tokio::test]
async fn both_systems_are_searched_and_an_odd_search_finds_nothing() {
    let (_, _, found) = send(service(None), get("/v1/codes?q=34&system=DCSPH&limit=3")).await;
    assert_eq!(found[0]["code"], "3400", "{found}");
    let (status, _, _) = send(service(None), get("/v1/codes?q=a&system=SNOMED")).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    for q in ["", "%F0%9F%99%82", "%00", "%3Cb%3E", &"a".repeat(5_000)] {
        let (status, _, found) = send(service(None), get(&format!("/v1/codes?q={q}"))).await;
        assert_eq!(status, StatusCode::OK, "{q}");
        assert!(found.as_array().expect("a list").len() <= 100);
    }
}

/// What the program prints and how it ends.
fn hysio(arguments: &[&str], input: &[u8]) -> (i32, String, String) {
    use std::io::Write;
    use std::process::{Command, Stdio};
    static CATALOGUE: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
        let folder = tempfile::tempdir().expect("a folder");
        catalogue::file::write(ENGINE.catalogue(), &folder.path().join("catalogue"))
            .expect("written");
        folder
    });
    let mut child = Command::new(env!("CARGO_BIN_EXE_hysio"))
        .args(arguments)
        .env("HYSIO__CATALOGUE", CATALOGUE.path().join("catalogue"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // It may stop reading early.
    let _ = child.stdin.take().expect("piped").write_all(input);
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (
        output.status.code().expect("no signal"),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn the_program_says_what_is_wrong_with_its_input() {
    for (arguments, input, code, says) in [
        (vec!["code", ""], &b""[..], 0, "No ICD-10-CM code"),
        (
            vec!["code", "-"],
            &[0xff, 0xfe, 0x00][..],
            1,
            "no UTF-8 text: byte 1",
        ),
        (
            vec!["code", "-"],
            &[7; 500][..],
            1,
            "no text but binary data",
        ),
        (
            vec!["code", "-"],
            &[b'a'; 2_000_000][..],
            1,
            "at most 1048576",
        ),
        (
            vec!["code", "-"],
            &b"pneumonia ".repeat(1_000_000)[..],
            1,
            "at most 1048576",
        ),
        (
            vec!["code", "-"],
            &b"pneumonia ".repeat(100_000)[..],
            0,
            "J18.9",
        ),
        (
            vec!["code", "-"],
            "糖尿病と高血圧。".as_bytes(),
            0,
            "No ICD-10-CM code",
        ),
        (
            vec!["code", "<p>Pain in the <b>left knee</b></p>"],
            b"",
            0,
            "M25.562",
        ),
        (
            vec!["code", "-", "--system", "DCSPH"],
            &b"artrose lage rug ".repeat(60_000)[..],
            0,
            "3423",
        ),
        (
            vec!["codes", "show", "M54.50", "--system", "ICD-9"],
            b"",
            2,
            "use ICD-10-CM or DCSPH",
        ),
        (
            vec!["code", "knee", "--system", "SNOMED"],
            b"",
            2,
            "use ICD-10-CM or DCSPH",
        ),
        (
            vec!["code", "knee", "--sex", "blue"],
            b"",
            2,
            "use female or male",
        ),
        (
            vec!["code", "knee", "--limit", "0"],
            b"",
            1,
            "must be 1 to 100",
        ),
        (vec!["codes", "show", "Z99.999"], b"", 1, "codes search"),
        (
            vec!["codes", "show", "T40.7X1A"],
            b"",
            0,
            "retired on 2021-10-01: use T40.711A",
        ),
        (
            vec!["codes", "search", "zzzzzz", "--system", "DCSPH"],
            b"",
            0,
            "No DCSPH code",
        ),
    ] {
        let (status, out, err) = hysio(&arguments, input);
        assert_eq!(status, code, "{arguments:?}: {out}{err}");
        assert!(
            (out.clone() + &err).contains(says),
            "{arguments:?}: {out}{err}"
        );
        assert!(!err.contains("panicked"), "{err}");
    }
}

#[test]
fn the_program_shows_a_code_for_people_and_for_programs() {
    let (_, page, _) = hysio(&["codes", "show", "M25.562"], b"");
    for line in [
        "Pain in left knee",
        "M20-M25",
        "Side: left; the others",
        "M25.561",
    ] {
        assert!(page.contains(line), "{line} is missing:\n{page}");
    }
    assert!(!page.contains('\u{1b}'), "no colour in a pipe");
    let (_, json, _) = hysio(&["codes", "show", "C50.922", "--json"], b"");
    let shown: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(shown["edits"][0]["edit"], "male");
    let (_, json, _) = hysio(&["codes", "search", "migr", "aura", "--json"], b"");
    assert!(serde_json::from_str::<Value>(&json).expect("JSON")[0]["code"].is_string());
}
