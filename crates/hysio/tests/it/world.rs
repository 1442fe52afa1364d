//! A facility with people in a database of its own, and the app over it on a free port. The engines are stand-ins that a
//! test sets; everything else is what runs in production.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use hysio::{
    config::Config,
    http::app::{App, Parts, router},
    lifecycle::Lifecycle,
    metrics::Metrics,
    worker::{Engines, Worker},
};
use hysio_clinical::{
    jobs::JobError,
    ports::{CodeQuery, Coder, Coding, Transcriber},
};
use hysio_infra::{
    audit::SigningKeys,
    blobs::Blobs,
    cipher::MasterKeys,
    diagnosecode_client::DiagnosecodeClient,
    embedded_postgres::Login,
    postgres::{
        Database, Settings, Vault,
        accounts::{self, NewUser},
        migrate, notify,
    },
    redis::cache::MedicalCache,
    smtp::Mailer,
};
use hysio_model::{
    Role, Specialty,
    diagnosis::{CodeSystem, Evidence, Suggestion},
    id::FacilityId,
    transcript::{Language, Segment, Transcript},
};
use hysio_testkit::TestDatabase;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// Of no installation but this one.
const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
pub const PASSWORD: &str = "correct horse battery";
/// Nothing in a test takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct World {
    pub address: SocketAddr,
    pub db: Database,
    pub database: TestDatabase,
    pub config: Arc<Config>,
    pub facility: FacilityId,
    pub other_facility: FacilityId,
    pub keys: Arc<SigningKeys>,
    pub blobs: Blobs,
    pub calls: broadcast::Sender<notify::Call>,
    pub folder: TempDir,
    stop: CancellationToken,
}

impl World {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// `adjust` changes the configuration.
    #[expect(clippy::too_many_lines, reason = "puts everything together, once")]
    pub async fn with(adjust: impl FnOnce(&mut Config)) -> Self {
        let database = TestDatabase::new(|config| async move {
            let folder = tempfile::tempdir()?;
            let mut client = migrate::connect(&config).await?;
            migrate::migrate(&mut client, &master(folder.path())).await?;
            Ok(())
        })
        .await
        .expect("a database");
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = Config::default();
        config.http.rate_per_second = 10_000;
        config.http.rate_burst = 10_000;
        config.session.lock_after = 5;
        config.paths.data = folder.path().to_owned();
        adjust(&mut config);
        let config = Arc::new(config);

        let mut owner = migrate::connect(&database.config(Login::Owner))
            .await
            .expect("the owner");
        let master_keys = master(folder.path());
        let facility = accounts::add_facility(&mut owner, &master_keys, "North")
            .await
            .expect("a facility")
            .id;
        let other_facility = accounts::add_facility(&mut owner, &master_keys, "South")
            .await
            .expect("a facility")
            .id;
        add_people(&owner, facility, other_facility).await;

        let app_config = database.config(Login::Application);
        let client = migrate::connect(&app_config).await.expect("the app's role");
        let vault = Vault::open(master_keys, &client)
            .await
            .expect("the right key");
        let db = Database::new(&Settings::new(app_config.clone(), 8), vault).expect("a pool");
        let keys = Arc::new(
            SigningKeys::generate_file(&folder.path().join("audit.key"), "test/audit")
                .expect("a key"),
        );
        let blobs = Blobs::open(folder.path().join("recordings"))
            .await
            .expect("a folder");
        let stop = CancellationToken::new();
        let calls = notify::listen(app_config, stop.clone());
        let app = App::new(Parts {
            db: db.clone(),
            config: config.clone(),
            blobs: blobs.clone(),
            codes: DiagnosecodeClient::new(
                config
                    .diagnosecode
                    .url
                    .as_deref()
                    .unwrap_or("http://127.0.0.1:9"),
            )
            .expect("an address"),
            metrics: Metrics::new(),
            cluster: None,
            cache: Some(MedicalCache::new(8, None)),
            calls: calls.clone(),
            draining: stop.clone(),
            trail: Some(Arc::new(keys.verifying().clone())),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        let service = router(app).into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self {
            address,
            db,
            database,
            config,
            facility,
            other_facility,
            keys,
            blobs,
            calls,
            folder,
            stop,
        }
    }

    /// Somebody who has signed in.
    pub async fn sign_in(&self, email: &str) -> Person {
        let person = self.visitor();
        let response = person
            .post(
                "/api/session",
                &json!({ "email": email, "password": PASSWORD }),
            )
            .await;
        assert_eq!(response.status, StatusCode::OK, "{}", response.body);
        person
    }

    /// Somebody who has not.
    pub fn visitor(&self) -> Person {
        Person {
            client: Client::builder()
                .cookie_store(true)
                .build()
                .expect("a client"),
            base: format!("http://{}", self.address),
        }
    }

    /// A worker with these engines, until the returned token is cancelled.
    #[expect(clippy::unused_async, reason = "it is joined with other futures")]
    pub async fn worker(
        &self,
        transcriber: impl Transcriber + 'static,
        coder: impl Coder + 'static,
    ) -> RunningWorker {
        let engines = Engines {
            transcriber: Box::new(transcriber),
            coder: Box::new(coder),
            mailer: Mailer::not_configured(),
            blobs: self.blobs.clone(),
        };
        let worker = Worker {
            db: self.db.clone(),
            engines: Arc::new(engines),
            metrics: Metrics::new(),
            config: self.config.clone(),
            hints: None,
        };
        let lifecycle = Lifecycle::default();
        let (running, calls) = (lifecycle.clone(), self.calls.clone());
        let task = tokio::spawn(async move { worker.run(&running, &calls).await });
        RunningWorker {
            lifecycle,
            task: Some(task),
        }
    }

    /// An encounter of a new patient, by an API that works.
    pub async fn encounter(&self, person: &Person) -> (String, String) {
        let patient = person.post("/api/patients", &json!({ "given_name": "Jan", "family_name": "Jansen", "birth_date": "1960-01-31", "sex": "male" })).await;
        assert_eq!(patient.status, StatusCode::CREATED, "{}", patient.body);
        let patient = patient.body["id"].as_str().expect("an id").to_owned();
        let encounter = person
            .post("/api/encounters", &json!({ "patient_id": patient }))
            .await;
        assert_eq!(encounter.status, StatusCode::CREATED, "{}", encounter.body);
        (
            patient,
            encounter.body["id"].as_str().expect("an id").to_owned(),
        )
    }

    /// An encounter whose draft is ready: uploaded, transcribed, coded.
    pub async fn drafted(&self, person: &Person) -> Value {
        let worker = self
            .worker(
                Says::words("Chest pain since Monday. Plan: rest."),
                Codes::one("R07.9", "Chest pain"),
            )
            .await;
        let (_, encounter) = self.encounter(person).await;
        let accepted = person.upload(&encounter, "key-1", WAV).await;
        assert_eq!(accepted.status, StatusCode::ACCEPTED, "{}", accepted.body);
        let done = person.wait_for(&encounter, "drafted").await;
        worker.stop().await;
        done
    }

    /// Puts the trail in order now.
    pub async fn sequence(&self) {
        while self.db.sequence_audit(&self.keys).await.expect("sequenced") > 0 {}
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
        self.db.close();
    }
}

/// One of each role at the first facility, and a clinician at the other.
async fn add_people(owner: &tokio_postgres::Client, facility: FacilityId, other: FacilityId) {
    let hash = hysio::http::hash_password(PASSWORD).expect("hashed");
    for (email, role, at) in [
        ("anna@north", Role::Clinician, Some(facility)),
        ("ben@north", Role::Clinician, Some(facility)),
        ("admin@north", Role::FacilityAdmin, Some(facility)),
        ("sara@south", Role::Clinician, Some(other)),
        ("admin@south", Role::FacilityAdmin, Some(other)),
        ("operator", Role::Operator, None),
        ("auditor", Role::Auditor, None),
    ] {
        let user = NewUser {
            facility: at,
            email: email.into(),
            name: format!("Name of {email}"),
            password_hash: hash.clone(),
            role,
            specialty: (role == Role::Clinician).then_some(Specialty::Cardiology),
            language: Language::English,
        };
        accounts::add_user(owner, &user).await.expect("a user");
    }
}

pub fn master(folder: &Path) -> MasterKeys {
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = folder.join("master.key");
    let file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&path);
    std::io::Write::write_all(&mut file.expect("a file"), MASTER_KEY.as_bytes()).expect("written");
    MasterKeys::load(&path).expect("the test's key")
}

pub struct RunningWorker {
    lifecycle: Lifecycle,
    task: Option<tokio::task::JoinHandle<()>>,
}

impl RunningWorker {
    /// Asks it to finish, and waits until it has.
    pub async fn stop(mut self) {
        self.lifecycle.soft.cancel();
        self.task
            .take()
            .expect("runs")
            .await
            .expect("a worker does not panic");
    }

    /// Ends it as a kill would: nothing is finished, nothing handed back.
    pub fn kill(mut self) {
        self.task.take().expect("runs").abort();
    }
}

impl Drop for RunningWorker {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

/// Somebody at a browser.
pub struct Person {
    client: Client,
    base: String,
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    /// Null where it is not JSON.
    pub body: Value,
    pub text: String,
}

impl Person {
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.base))
            .header("X-Hysio-Request", "1")
    }

    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        let text = String::from_utf8_lossy(&response.bytes().await.expect("a body")).into_owned();
        Answer {
            status,
            headers,
            body: serde_json::from_str(&text).unwrap_or_default(),
            text,
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PUT, path).json(body)).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PATCH, path).json(body))
            .await
    }

    pub async fn post_with_key(&self, path: &str, key: &str, body: &Value) -> Answer {
        self.send(
            self.request(Method::POST, path)
                .header("Idempotency-Key", key)
                .json(body),
        )
        .await
    }

    pub async fn upload(&self, encounter: &str, key: &str, audio: &[u8]) -> Answer {
        let file = reqwest::multipart::Part::bytes(audio.to_vec()).file_name("dictation.wav");
        let form = reqwest::multipart::Form::new()
            .text("encounter_id", encounter.to_owned())
            .part("file", file);
        self.send(
            self.request(Method::POST, "/api/transcription")
                .header("Idempotency-Key", key)
                .multipart(form),
        )
        .await
    }

    /// The encounter, once it is in that state.
    pub async fn wait_for(&self, encounter: &str, state: &str) -> Value {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let found = self.get(&format!("/api/encounters/{encounter}")).await;
            if found.body["state"] == state {
                return found.body;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "not {state} in time: {}",
                found.body
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A second of silence, as a WAV file.
pub const WAV: &[u8] = &{
    let mut wav = [0_u8; 44 + 320];
    let header = *b"RIFF\x64\x01\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0data\x40\x01\0\0";
    let mut at = 0;
    while at < header.len() {
        wav[at] = header[at];
        at += 1;
    }
    wav
};

/// An engine that hears what it is told to.
#[derive(Clone)]
pub struct Says {
    text: String,
    /// What goes wrong first, attempt by attempt.
    failures: Arc<Mutex<Vec<JobError>>>,
    /// How long hearing takes.
    takes: Duration,
    pub heard: Arc<Mutex<usize>>,
}

impl Says {
    pub fn words(text: &str) -> Self {
        Self {
            text: text.into(),
            failures: Arc::default(),
            takes: Duration::ZERO,
            heard: Arc::default(),
        }
    }

    pub fn failing_first(self, failures: Vec<JobError>) -> Self {
        Self {
            failures: Arc::new(Mutex::new(failures)),
            ..self
        }
    }

    pub fn taking(self, takes: Duration) -> Self {
        Self { takes, ..self }
    }
}

#[async_trait]
impl Transcriber for Says {
    async fn transcribe(
        &self,
        _: Vec<u8>,
        _: &str,
        _: Option<Language>,
        progress: &(dyn Fn(f32) + Send + Sync),
    ) -> Result<Transcript, JobError> {
        *self.heard.lock().expect("not poisoned") += 1;
        progress(0.5);
        tokio::time::sleep(self.takes).await;
        let failure = {
            let mut failures = self.failures.lock().expect("not poisoned");
            if failures.is_empty() {
                None
            } else {
                Some(failures.remove(0))
            }
        };
        if let Some(failure) = failure {
            return Err(failure);
        }
        let segment = Segment {
            start: 0.0,
            end: 1.0,
            text: self.text.clone(),
            confidence: 0.9,
            words: vec![],
        };
        Ok(Transcript {
            language: Language::English,
            duration_seconds: 1.0,
            segments: vec![segment],
            model: "stand-in".into(),
        })
    }
}

/// A coder that finds one code, for the first word.
#[derive(Clone)]
pub struct Codes(Suggestion);

impl Codes {
    pub fn one(code: &str, title: &str) -> Self {
        Self(Suggestion {
            system: CodeSystem::Icd10Cm,
            code: code.into(),
            title: title.into(),
            probability: 0.8,
            billable: true,
            evidence: vec![],
            ..Suggestion::default()
        })
    }
}

#[async_trait]
impl Coder for Codes {
    async fn suggest(&self, text: &str, _: &CodeQuery) -> Result<Coding, JobError> {
        let word: String = text.chars().take_while(|c| c.is_alphanumeric()).collect();
        let evidence = vec![Evidence {
            start: 0,
            end: word.chars().count(),
            text: word.clone(),
            term: word,
        }];
        Ok(Coding {
            suggestions: vec![Suggestion {
                evidence,
                ..self.0.clone()
            }],
            model: "stand-in-1".into(),
        })
    }
}
