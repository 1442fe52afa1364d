use std::{
    io::Write as _,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    extract::{Multipart, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use futures::stream;

use super::*;

/// What the server does, attempt by attempt; the last one from then on.
#[derive(Clone, Copy)]
enum Mood {
    Well,
    Busy { retry_after: &'static str },
    Broken,
    Refusing,
    Unauthorised,
    Rubbish,
    Silent,
    DyingInMidBody,
}

#[tokio::test]
async fn a_recording_comes_back_as_a_transcript() {
    let server = Server::start(&[Mood::Well]).await;
    let transcript = server
        .ask(Some(Language::Dutch))
        .await
        .expect("a transcript");
    assert_eq!(transcript.text(), "Geen pijn.");
    assert_eq!(transcript.language, Language::Dutch);
    assert_eq!(
        server.fields(),
        [
            "file=RIFF",
            "model=large-v3",
            "response_format=verbose_json",
            "language=nl"
        ]
    );
}

#[tokio::test]
async fn a_busy_or_broken_server_is_asked_again() {
    let busy = Mood::Busy { retry_after: "0" };
    let server = Server::start(&[busy, Mood::Broken, Mood::DyingInMidBody, Mood::Well]).await;
    assert!(server.ask(None).await.is_ok());
    assert_eq!(server.attempts(), 4);
}

#[tokio::test]
async fn the_retries_are_bounded() {
    let server = Server::start(&[Mood::Broken]).await;
    let error = server.ask(None).await.expect_err("broken");
    assert!(matches!(error, Error::Failed { .. }), "{error}");
    assert!(error.is_retryable());
    assert_eq!(server.attempts(), 4);
}

#[tokio::test]
async fn the_wait_that_the_server_asks_for_is_kept() {
    let server = Server::start(&[Mood::Busy { retry_after: "1" }, Mood::Well]).await;
    let started = std::time::Instant::now();
    assert!(server.ask(None).await.is_ok());
    assert!(started.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_server_that_wants_an_hour_is_not_waited_for() {
    let server = Server::start(&[Mood::Busy {
        retry_after: "3600",
    }])
    .await;
    let error = server.ask(None).await.expect_err("busy");
    assert!(
        matches!(
            error,
            Error::Busy {
                retry_after: Some(_),
                ..
            }
        ),
        "{error}"
    );
    assert!(error.is_retryable(), "the job may try again later");
    assert_eq!(server.attempts(), 1);
}

#[tokio::test]
async fn what_can_not_get_better_is_not_tried_again() {
    for mood in [Mood::Refusing, Mood::Unauthorised, Mood::Rubbish] {
        let server = Server::start(&[mood]).await;
        let error = server.ask(None).await.expect_err("refused");
        assert!(!error.is_retryable(), "{error}");
        assert_eq!(server.attempts(), 1);
    }
}

#[tokio::test]
async fn a_refusal_carries_the_server_s_reason_and_nothing_of_a_transcript() {
    let server = Server::start(&[Mood::Refusing]).await;
    let error = server.ask(None).await.expect_err("refused");
    assert!(
        error.to_string().contains("the file is too short"),
        "{error}"
    );
    let server = Server::start(&[Mood::Rubbish]).await;
    let error = server.ask(None).await.expect_err("rubbish");
    assert!(!format!("{error:?}").contains("Mrs Jansen"), "{error:?}");
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let server = Server::start(&[Mood::Silent]).await;
    let mut settings = server.settings();
    settings.total_timeout = Duration::from_millis(100);
    settings.retries = 1;
    let error = ask(settings, None).await.expect_err("silence");
    assert!(matches!(error, Error::TimedOut), "{error}");
    assert_eq!(server.attempts(), 2);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let mut settings = Settings::new(format!("http://{address}"), "m");
    settings.retries = 0;
    let error = ask(settings, None).await.expect_err("nobody there");
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    assert!(error.is_retryable());
}

#[tokio::test]
async fn the_key_is_sent_and_never_shown() {
    let server = Server::start(&[Mood::Well]).await;
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    writeln!(file, "sk-secret").expect("written");
    let mut settings = server.settings();
    settings.key_file = Some(file.path().to_owned());
    assert!(ask(settings, None).await.is_ok());
    assert_eq!(server.authorization().as_deref(), Some("Bearer sk-secret"));
    let value = authorization(file.path().to_owned()).expect("a header");
    assert!(!format!("{value:?}").contains("secret"));
}

#[test]
fn a_wrong_address_or_key_file_is_said_at_once() {
    for url in ["", "gpu", "ftp://gpu/v1"] {
        let refused = TranscriptionServer::new(Settings::new(url, "m"));
        assert!(matches!(refused.err(), Some(Error::Url(_))), "{url}");
    }
    let mut settings = Settings::new("http://gpu", "m");
    settings.key_file = Some("/nowhere/key".into());
    let refused = TranscriptionServer::new(settings);
    assert!(matches!(refused.err(), Some(Error::Key { .. })));
}

#[test]
fn the_address_may_end_in_v1_or_not() {
    for url in [
        "http://gpu:8000",
        "http://gpu:8000/",
        "http://gpu:8000/v1",
        "http://gpu:8000/v1/",
    ] {
        let endpoint = endpoint(url).expect("an address");
        assert_eq!(endpoint.as_str(), "http://gpu:8000/v1/audio/transcriptions");
    }
}

struct Server {
    address: SocketAddr,
    seen: Arc<Seen>,
}

struct Seen {
    moods: Vec<Mood>,
    attempts: AtomicUsize,
    fields: Mutex<Vec<String>>,
    authorization: Mutex<Option<String>>,
}

impl Server {
    /// Runs until the test's runtime ends.
    async fn start(moods: &[Mood]) -> Self {
        let seen = Arc::new(Seen {
            moods: moods.to_vec(),
            attempts: AtomicUsize::new(0),
            fields: Mutex::default(),
            authorization: Mutex::default(),
        });
        let router = Router::new()
            .route("/v1/audio/transcriptions", post(answer))
            .with_state(Arc::clone(&seen));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, seen }
    }

    fn settings(&self) -> Settings {
        Settings {
            backoff: Duration::from_millis(1),
            ..Settings::new(format!("http://{}", self.address), "large-v3")
        }
    }

    async fn ask(&self, language: Option<Language>) -> Result<Transcript, Error> {
        ask(self.settings(), language).await
    }

    fn attempts(&self) -> usize {
        self.seen.attempts.load(Ordering::SeqCst)
    }

    fn fields(&self) -> Vec<String> {
        lock(&self.seen.fields).clone()
    }

    fn authorization(&self) -> Option<String> {
        lock(&self.seen.authorization).clone()
    }
}

async fn ask(settings: Settings, language: Option<Language>) -> Result<Transcript, Error> {
    let server = TranscriptionServer::new(settings)?;
    server
        .transcribe(Bytes::from_static(b"RIFF"), language)
        .await
}

async fn answer(
    State(seen): State<Arc<Seen>>,
    headers: HeaderMap,
    mut form: Multipart,
) -> Response {
    let attempt = seen.attempts.fetch_add(1, Ordering::SeqCst);
    let authorization = headers.get(header::AUTHORIZATION);
    let authorization = authorization.and_then(|it| it.to_str().ok());
    *lock(&seen.authorization) = authorization.map(str::to_owned);
    let mut fields = Vec::new();
    while let Some(field) = form.next_field().await.expect("a form") {
        let name = field.name().unwrap_or_default().to_owned();
        fields.push(format!("{name}={}", field.text().await.expect("a text")));
    }
    *lock(&seen.fields) = fields;
    let mood = seen.moods[attempt.min(seen.moods.len() - 1)];
    respond(mood).await
}

async fn respond(mood: Mood) -> Response {
    let rubbish = "Mrs Jansen has no pain";
    match mood {
        Mood::Well => {
            let body = r#"{"language":"dutch","duration":"2","segments":[
                {"start":0,"end":2,"text":" Geen pijn.","no_speech_prob":null}]}"#;
            body.into_response()
        }
        Mood::Busy { retry_after } => {
            let header = [(header::RETRY_AFTER, retry_after)];
            (StatusCode::SERVICE_UNAVAILABLE, header).into_response()
        }
        Mood::Broken => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Mood::Refusing => {
            let body = r#"{"detail":"the file is too short"}"#;
            (StatusCode::UNPROCESSABLE_ENTITY, body).into_response()
        }
        Mood::Unauthorised => StatusCode::UNAUTHORIZED.into_response(),
        Mood::Rubbish => rubbish.into_response(),
        Mood::Silent => std::future::pending().await,
        Mood::DyingInMidBody => {
            let dies = std::io::Error::other("the server dies");
            let parts = [Ok(Bytes::from_static(b"{\"text\":")), Err(dies)];
            Body::from_stream(stream::iter(parts)).into_response()
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
