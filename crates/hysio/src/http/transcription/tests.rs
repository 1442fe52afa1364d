use std::{path::PathBuf, sync::Mutex, sync::OnceLock};

use axum::{
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
};
use hysio_speech::{Choice, Folder};
use tower::ServiceExt as _;

use super::*;

const MEDIA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../speech/tests/media");

#[tokio::test]
async fn speech_is_answered_in_full_detail() {
    let observed = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&observed);
    let observer: Observer = Arc::new(move |it| log.lock().expect("not poisoned").push(it));
    let service = Service::new(engine(), Settings::default(), observer);
    let clip = std::fs::read(format!("{MEDIA}/jfk.opus")).expect("a clip");
    let form = [
        ("model", "whisper-1"),
        ("response_format", "verbose_json"),
        ("prompt", "x"),
    ];
    let reply = post_file(&service, &clip, &form).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    let body: Value = serde_json::from_str(&reply.body).expect("JSON");
    assert_eq!(body["task"], "transcribe");
    assert_eq!(body["language"], "english");
    assert!((body["duration"].as_f64().expect("a number") - 11.0).abs() < 0.1);
    assert!(
        body["text"]
            .as_str()
            .expect("text")
            .contains("your country")
    );
    let segment = &body["segments"][0];
    for key in [
        "start",
        "end",
        "avg_logprob",
        "no_speech_prob",
        "confidence",
    ] {
        assert!(segment[key].is_number(), "{key} in {segment}");
    }
    assert_eq!(segment["words"][0]["word"], "And");
    let observed = observed.lock().expect("not poisoned");
    assert_eq!(observed.len(), 1);
    assert_eq!(observed[0].language, Language::English);
}

#[tokio::test]
async fn silence_is_empty_in_every_format() {
    let service = service(Settings::default());
    for (format, kind, body) in [
        ("json", "application/json", r#"{"text":""}"#),
        ("text", "text/plain; charset=utf-8", "\n"),
        ("srt", "application/x-subrip; charset=utf-8", ""),
        ("vtt", "text/vtt; charset=utf-8", "WEBVTT\n\n"),
    ] {
        let reply = post_file(&service, &silence(1), &[("response_format", format)]).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
        assert_eq!(reply.kind, kind);
        assert_eq!(reply.body, body);
    }
}

#[tokio::test]
async fn a_wrong_request_is_told_what_is_wrong() {
    let service = service(Settings::default());
    let silence = silence(1);
    let page = b"<html>not found</html>".repeat(30);
    let check = async |file: &[u8], field: (&str, &str), status: u16, code: &str, param: &str| {
        let reply = post_file(&service, file, &[field]).await;
        let body: Value = serde_json::from_str(&reply.body).expect("JSON");
        assert_eq!(reply.status.as_u16(), status, "{body}");
        assert_eq!(body["error"]["code"], code);
        assert_eq!(body["error"]["param"], param);
        assert_eq!(body["error"]["type"], "invalid_request_error");
        assert!(
            body["error"]["message"]
                .as_str()
                .is_some_and(|it| it.len() > 10)
        );
    };
    check(b"", ("unknown", "x"), 400, "audio_empty", "file").await;
    check(&page, ("unknown", "x"), 400, "invalid_audio", "file").await;
    check(
        &silence,
        ("model", "gpt-9"),
        404,
        "model_not_found",
        "model",
    )
    .await;
    check(
        &silence,
        ("language", "tlh"),
        400,
        "invalid_value",
        "language",
    )
    .await;
    check(
        &silence,
        ("response_format", "pdf"),
        400,
        "invalid_value",
        "response_format",
    )
    .await;
}

#[tokio::test]
async fn a_form_without_a_file_and_a_body_that_is_no_form_are_refused() {
    let service = service(Settings::default());
    let form = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nauto\r\n--{BOUNDARY}--\r\n"
    );
    let reply = send(&service, request(form.into_bytes())).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    assert!(
        reply.body.contains("the field file is missing"),
        "{}",
        reply.body
    );
    let plain = Request::post("/v1/audio/transcriptions").body(Body::from("hello"));
    let reply = send(&service, plain.expect("a request")).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    assert!(reply.body.contains("invalid_form"), "{}", reply.body);
}

#[tokio::test]
async fn an_upload_over_the_limit_is_refused() {
    let settings = Settings {
        body_bytes_max: 10_000,
        ..Settings::default()
    };
    let reply = post_file(&service(settings), &silence(1), &[]).await;
    assert_eq!(
        reply.status,
        StatusCode::PAYLOAD_TOO_LARGE,
        "{}",
        reply.body
    );
    assert!(reply.body.contains("file_too_large"));
}

#[tokio::test]
async fn a_full_house_says_when_to_come_back_and_lets_in_again() {
    let settings = Settings {
        model_workers: 1,
        waiting_places: 1,
        ..Settings::default()
    };
    let service = service(settings);
    let places: Vec<_> = (0..2).map(|_| service.admission.enter().ok()).collect();
    let reply = post_file(&service, &silence(1), &[]).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(reply.retry_after.as_deref(), Some("5"));
    assert!(reply.body.contains("overloaded"));
    drop(places);
    let reply = post_file(&service, &silence(1), &[]).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(service.in_flight(), 0);
}

#[tokio::test]
async fn whoever_hangs_up_stops_the_work() {
    let service = service(Settings::default());
    // An hour takes far longer to listen through than the deadline below.
    let hour = silence(3600);
    let running = tokio::spawn({
        let service = service.clone();
        async move { post_file(&service, &hour, &[]).await.status }
    });
    wait_until(&service, |service| service.admission.workers_busy() == 1).await;
    running.abort();
    wait_until(&service, |service| service.in_flight() == 0).await;
}

#[tokio::test]
async fn the_models_are_listed() {
    let request = Request::get("/v1/models").body(Body::empty());
    let reply = send(&service(Settings::default()), request.expect("a request")).await;
    let body: Value = serde_json::from_str(&reply.body).expect("JSON");
    let names = body["data"].as_array().expect("a list").iter();
    let names: Vec<&str> = names.filter_map(|it| it["id"].as_str()).collect();
    assert_eq!(
        names,
        ["auto", "whisper-1", "whisper-base", "whisper-small"]
    );
}

const BOUNDARY: &str = "hysio-test-boundary";

struct Reply {
    status: StatusCode,
    kind: String,
    retry_after: Option<String>,
    body: String,
}

async fn post_file(service: &Service, file: &[u8], fields: &[(&str, &str)]) -> Reply {
    let mut form = Vec::new();
    for (name, value) in fields {
        let head =
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
        form.extend(head.bytes().chain(value.bytes()).chain(*b"\r\n"));
    }
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\n\r\n"
    );
    form.extend(head.bytes());
    form.extend(file);
    form.extend(format!("\r\n--{BOUNDARY}--\r\n").bytes());
    send(service, request(form)).await
}

fn request(form: Vec<u8>) -> Request<Body> {
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    Request::post("/v1/audio/transcriptions")
        .header(header::CONTENT_TYPE, kind)
        .body(Body::from(form))
        .expect("a request")
}

async fn send(service: &Service, request: Request<Body>) -> Reply {
    let response = router(service.clone()).oneshot(request).await;
    let response = response.expect("the router never fails");
    let (parts, body) = response.into_parts();
    let text = |name| {
        let value = parts.headers.get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let kind: Option<String> = text(header::CONTENT_TYPE);
    let retry_after = text(header::RETRY_AFTER);
    let body = to_bytes(body, usize::MAX).await.expect("a body");
    Reply {
        status: parts.status,
        kind: kind.unwrap_or_default(),
        retry_after,
        body: String::from_utf8(body.to_vec()).expect("text"),
    }
}

async fn wait_until(service: &Service, reached: impl Fn(&Service) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !reached(service) {
        assert!(Instant::now() < deadline, "not reached in time");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// 16-bit PCM at 8 kHz.
fn silence(seconds: u32) -> Vec<u8> {
    let data_bytes = seconds * 16_000;
    let mut wav = Vec::new();
    wav.extend(b"RIFF");
    wav.extend((36 + data_bytes).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend(8_000_u32.to_le_bytes());
    wav.extend(16_000_u32.to_le_bytes());
    wav.extend(b"\x02\0\x10\0data");
    wav.extend(data_bytes.to_le_bytes());
    wav.resize(wav.len() + data_bytes as usize, 0);
    wav
}

fn service(settings: Settings) -> Service {
    Service::new(engine(), settings, Arc::new(|_| {}))
}

fn engine() -> Arc<Engine> {
    static ENGINE: OnceLock<Arc<Engine>> = OnceLock::new();
    let engine = ENGINE.get_or_init(|| {
        let folder = std::env::var_os("HYSIO_TEST_MODELS").map_or_else(
            || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../vendor/speech")),
            PathBuf::from,
        );
        let engine = Engine::load(Folder::new(&folder), Choice::Auto, 2);
        Arc::new(engine.unwrap_or_else(|error| {
            panic!("these tests need the speech models in {folder:?} (./hysio install): {error}")
        }))
    });
    Arc::clone(engine)
}
