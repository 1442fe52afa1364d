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
