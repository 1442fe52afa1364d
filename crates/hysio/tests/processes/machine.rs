//! An installation in a folder of its own, as `hysio up` runs it, and somebody who uses it.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use hysio_testkit::{Hysio, free_port, repository_dir, vendor_dir};
use nix::{sys::signal::Signal, unistd::Pid};
use reqwest::{Client, StatusCode, multipart};
use serde_json::{Value, json};
use tempfile::TempDir;

pub const BINARY: &str = env!("CARGO_BIN_EXE_hysio");
// Generous, as a slow machine is no failure.
const START: Duration = Duration::from_secs(300);
pub const WORK: Duration = Duration::from_secs(300);

/// An installation in a folder of its own, and somebody who uses it.
pub struct Machine {
    pub folder: TempDir,
    environment: Vec<(String, String)>,
    pub app: std::net::SocketAddr,
    client: Client,
}

impl Machine {
    pub fn new() -> Self {
        Self::with([])
    }

    /// With more settings, by their names in the environment.
    pub fn with<const N: usize>(more: [(&str, &str); N]) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        // The database's own user must be able to pass.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711))
            .expect("opened");
        let port = || free_port().expect("a port");
        let (app, transcription, diagnosecode) = (port(), port(), port());
        let at = |port: u16| format!("127.0.0.1:{port}");
        let vendor = vendor_dir();
        let environment = [
            ("HYSIO__PATHS__INSTALL", vendor.display().to_string()),
            (
                "HYSIO__PATHS__DATA",
                folder.path().join("data").display().to_string(),
            ),
            ("HYSIO__HTTP__APP", at(app)),
            ("HYSIO__HTTP__TRANSCRIPTION", at(transcription)),
            ("HYSIO__HTTP__DIAGNOSECODE", at(diagnosecode)),
            ("HYSIO__HTTP__PUBLIC_URL", format!("http://localhost:{app}")),
            ("HYSIO__HTTP__RATE_PER_SECOND", "1000".into()),
            ("HYSIO__HTTP__RATE_BURST", "1000".into()),
            ("HYSIO__WORKER__LEASE_SECONDS", "5".into()),
        ];
        let environment = environment
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .chain(more.map(|(name, value)| (name.to_owned(), value.to_owned())))
            .collect();
        Self {
            folder,
            environment,
            app: ([127, 0, 0, 1], app).into(),
            client: client(),
        }
    }

    pub async fn start(&self) -> Hysio {
        let mut hysio = Hysio::start(BINARY, self.folder.path(), ["up"], self.environment.clone())
            .expect("started");
        hysio.ready(self.app, "/ready", START).await.expect("ready");
        let deadline = Instant::now() + START;
        while !hysio.output().contains("Hysio is running") {
            assert!(
                Instant::now() < deadline,
                "not up in time: {}",
                hysio.output()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        hysio
    }

    pub fn password(&self, role: &str) -> (String, String) {
        let text = std::fs::read_to_string(self.folder.path().join("data/first-sign-in.txt"))
            .expect("written at the first start");
        let line = text
            .lines()
            .find(|line| line.starts_with(role))
            .expect("that role");
        let mut parts = line.split('\t').skip(1).map(str::to_owned);
        (
            parts.next().expect("an address"),
            parts.next().expect("a password"),
        )
    }

    pub async fn sign_in(&self) {
        self.sign_in_with(&self.client, "clinician").await;
    }

    /// Somebody else at a browser of their own.
    pub async fn somebody(&self, role: &str) -> Client {
        let client = client();
        self.sign_in_with(&client, role).await;
        client
    }

    async fn sign_in_with(&self, client: &Client, role: &str) {
        let (email, password) = self.password(role);
        let answer = self
            .request_with(client, "POST", "/api/session")
            .json(&json!({ "email": email, "password": password }))
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
    }

    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.request_with(&self.client, method, path)
    }

    pub fn request_with(
        &self,
        client: &Client,
        method: &str,
        path: &str,
    ) -> reqwest::RequestBuilder {
        let method = method.parse().expect("a method");
        client
            .request(method, format!("http://{}{path}", self.app))
            .header("X-Hysio-Request", "1")
    }

    /// Asks until it is answered well, as a page does: through connections that break and 503s.
    pub async fn insist(&self, request: impl Fn() -> reqwest::RequestBuilder) -> Value {
        let deadline = Instant::now() + WORK;
        loop {
            let answer = request().send().await;
            if let Ok(answer) = answer {
                let status = answer.status();
                let body: Value = answer.json().await.unwrap_or_default();
                if status.is_success() {
                    return body;
                }
                assert!(
                    status.is_server_error() || status == StatusCode::CONFLICT,
                    "{status}: {body}"
                );
            }
            assert!(Instant::now() < deadline, "not answered in time");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// A recording of a new patient, accepted for good.
    pub async fn accept(&self, number: usize, audio: &[u8]) -> String {
        let encounter = self.open(number).await;
        self.insist(|| self.upload(number, &encounter, audio)).await;
        encounter
    }

    /// An encounter of a new patient.
    pub async fn open(&self, number: usize) -> String {
        let patient = json!({ "given_name": format!("Planted{number}"), "family_name": "Secretname", "birth_date": "1960-01-31", "sex": "male" });
        let patient = self
            .insist(|| {
                self.request("POST", "/api/patients")
                    .header("Idempotency-Key", format!("p{number}"))
                    .json(&patient)
            })
            .await;
        let open = json!({ "patient_id": patient["id"], "language": "en" });
        let encounter = self
            .insist(|| {
                self.request("POST", "/api/encounters")
                    .header("Idempotency-Key", format!("e{number}"))
                    .json(&open)
            })
            .await;
        encounter["id"].as_str().expect("an id").to_owned()
    }

    pub fn upload(&self, number: usize, encounter: &str, audio: &[u8]) -> reqwest::RequestBuilder {
        let file = multipart::Part::bytes(audio.to_vec()).file_name("visit.opus");
        let form = multipart::Form::new()
            .text("encounter_id", encounter.to_owned())
            .part("file", file);
        self.request("POST", "/api/transcription")
            .header("Idempotency-Key", format!("u{number}"))
            .multipart(form)
    }

    pub async fn wait_for(&self, encounter: &str, state: &str) -> Value {
        let deadline = Instant::now() + WORK;
        loop {
            let found = self
                .insist(|| self.request("GET", &format!("/api/encounters/{encounter}")))
                .await;
            if found["state"] == state {
                return found;
            }
            assert!(
                found["state"] != "failed" && Instant::now() < deadline,
                "not {state}: {found}"
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    pub fn command(&self, arguments: &[&str]) -> std::process::Output {
        self.program(arguments).output().expect("run")
    }

    /// A command of this installation, not started yet.
    pub fn program(&self, arguments: &[&str]) -> Command {
        let mut program = Command::new(BINARY);
        program
            .args(arguments)
            .envs(self.environment.clone())
            .current_dir(self.folder.path());
        program
    }
}

fn client() -> Client {
    Client::builder()
        .cookie_store(true)
        .timeout(Duration::from_secs(30))
        .build()
        .expect("a client")
}

pub fn speech() -> Vec<u8> {
    std::fs::read(repository_dir().join("crates/speech/tests/media/jfk.opus"))
        .expect("the recording")
}

/// Kills the process of the installation whose command line ends like this.
pub fn kill(folder: &Path, what: &str) {
    signal(folder, what, Signal::SIGKILL);
}

/// Sends a signal to the processes of the installation whose command line ends like this.
pub fn signal(folder: &Path, what: &str, signal: Signal) -> Vec<Pid> {
    let mut sent = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("/proc").flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else {
            continue;
        };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let folder = folder.display().to_string();
        let ours =
            String::from_utf8_lossy(&environment).contains(&folder) || line.contains(&folder);
        if ours && line.trim_end().ends_with(what) {
            let pid = Pid::from_raw(pid);
            nix::sys::signal::kill(pid, signal).expect("signalled");
            sent.push(pid);
        }
    }
    assert!(!sent.is_empty(), "{what} does not run");
    sent
}
