//! Everything on one machine, as `hysio up` runs it: real speech, real processes, and what is left of it all when they are
//! killed.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use hysio_testkit::{Hysio, free_port, repository_dir, vendor_dir};
use reqwest::{Client, StatusCode, multipart};
use serde_json::{Value, json};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_hysio");
const START: Duration = Duration::from_secs(120);
const WORK: Duration = Duration::from_secs(120);

/// An installation in a folder of its own, and somebody who uses it.
struct Machine {
    folder: TempDir,
    environment: Vec<(String, String)>,
    app: std::net::SocketAddr,
    client: Client,
}

impl Machine {
    fn new() -> Self {
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
            .collect();
        let client = Client::builder()
            .cookie_store(true)
            .timeout(Duration::from_secs(30))
            .build()
            .expect("a client");
        Self {
            folder,
            environment,
            app: ([127, 0, 0, 1], app).into(),
            client,
        }
    }

    async fn start(&self) -> Hysio {
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

    fn password(&self, role: &str) -> (String, String) {
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

    async fn sign_in(&self) {
        let (email, password) = self.password("clinician");
        let answer = self
            .request("POST", "/api/session")
            .json(&json!({ "email": email, "password": password }))
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = method.parse().expect("a method");
        self.client
            .request(method, format!("http://{}{path}", self.app))
            .header("X-Hysio-Request", "1")
    }

    /// Asks until it is answered well, as a page does: through connections that break and 503s.
    async fn insist(&self, request: impl Fn() -> reqwest::RequestBuilder) -> Value {
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
    async fn accept(&self, number: usize, audio: &[u8]) -> String {
        let encounter = self.open(number).await;
        self.insist(|| self.upload(number, &encounter, audio)).await;
        encounter
    }

    /// An encounter of a new patient.
    async fn open(&self, number: usize) -> String {
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

    fn upload(&self, number: usize, encounter: &str, audio: &[u8]) -> reqwest::RequestBuilder {
        let file = multipart::Part::bytes(audio.to_vec()).file_name("visit.opus");
        let form = multipart::Form::new()
            .text("encounter_id", encounter.to_owned())
            .part("file", file);
        self.request("POST", "/api/transcription")
            .header("Idempotency-Key", format!("u{number}"))
            .multipart(form)
    }

    async fn wait_for(&self, encounter: &str, state: &str) -> Value {
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

    fn command(&self, arguments: &[&str]) -> std::process::Output {
        Command::new(BINARY)
            .args(arguments)
            .envs(self.environment.clone())
            .current_dir(self.folder.path())
            .output()
            .expect("run")
    }
}

fn speech() -> Vec<u8> {
    std::fs::read(repository_dir().join("crates/speech/tests/media/jfk.opus"))
        .expect("the recording")
}

/// Kills the process of the installation whose command line ends like this.
fn kill(folder: &Path, what: &str) {
    let mut killed = 0;
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
            nix::sys::signal::kill(
                nix::unistd::Pid::from_raw(pid),
                nix::sys::signal::Signal::SIGKILL,
            )
            .expect("killed");
            killed += 1;
        }
    }
    assert!(killed > 0, "{what} does not run");
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story, told in its order")]
async fn real_speech_becomes_a_signed_record_whatever_is_killed_meanwhile() {
    let machine = Machine::new();
    let mut hysio = machine.start().await;
    machine.sign_in().await;
    let audio = speech();
    let mut accepted = Vec::new();
    // In each stage of the work something else dies.
    for (number, victim) in [
        "hysio worker",
        "hysio app",
        "hysio transcription",
        "hysio diagnosecode",
        "data/postgres/cluster",
    ]
    .into_iter()
    .enumerate()
    {
        accepted.push(machine.accept(number, &audio).await);
        kill(machine.folder.path(), victim);
    }
    for encounter in &accepted {
        let done = machine.wait_for(encounter, "drafted").await;
        let text = done["record"]["subjective"]
            .as_str()
            .expect("a draft")
            .to_lowercase();
        assert!(
            text.contains("ask not what your country can do for you"),
            "{text}"
        );
    }
    let patients = machine
        .insist(|| machine.request("GET", "/api/patients"))
        .await;
    assert_eq!(
        patients["patients"].as_array().expect("patients").len(),
        accepted.len(),
        "nothing is missing, nothing there twice"
    );

    let encounter = machine.wait_for(&accepted[0], "drafted").await;
    let record = format!("/api/records/{}", encounter["record"]["id"]);
    let signed = machine
        .insist(|| {
            machine
                .request("POST", &format!("{record}/sign"))
                .json(&json!({ "version": encounter["record"]["version"] }))
        })
        .await;
    assert_eq!(signed["state"], "signed");

    let proof = machine.command(&["audit", "verify"]);
    assert!(
        proof.status.success(),
        "{}{}",
        String::from_utf8_lossy(&proof.stdout),
        String::from_utf8_lossy(&proof.stderr)
    );
    let ended = hysio
        .terminate(Duration::from_secs(60))
        .await
        .expect("ended in time");
    assert!(ended.success(), "{ended}: {}", hysio.output());
    let log = hysio.output();
    for planted in [
        "Secretname",
        "Planted",
        "country",
        "1960-01-31",
        &machine.password("clinician").1,
    ] {
        // The password is shown once, to the person who started Hysio, and in no log line.
        let lines = log
            .lines()
            .filter(|line| line.starts_with('{') && line.contains(planted))
            .count();
        assert_eq!(lines, 0, "{planted:?} is in the log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_killed_supervisor_nothing_is_left_and_the_next_start_goes_on() {
    let machine = Machine::new();
    let mut first = machine.start().await;
    machine.sign_in().await;
    let encounter = machine.accept(0, &speech()).await;
    first.kill().await.expect("killed");
    let mut second = machine.start().await;
    machine.sign_in().await;
    machine.wait_for(&encounter, "drafted").await;
    let taken = machine.command(&["up"]);
    let said = String::from_utf8_lossy(&taken.stderr).into_owned();
    assert!(
        !taken.status.success() && said.contains("cannot be listened on"),
        "{said}"
    );
    assert!(
        second
            .terminate(Duration::from_secs(60))
            .await
            .expect("ended")
            .success()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_finds_the_data_and_one_without_its_key_is_refused() {
    let machine = Machine::new();
    let mut first = machine.start().await;
    machine.sign_in().await;
    let patient = json!({ "given_name": "Eva", "family_name": "Blijver", "birth_date": "1960-01-31", "sex": "female" });
    machine
        .insist(|| machine.request("POST", "/api/patients").json(&patient))
        .await;
    assert!(
        first
            .interrupt(Duration::from_secs(60))
            .await
            .expect("ended")
            .success()
    );

    let mut second = machine.start().await;
    machine.sign_in().await;
    let found = machine
        .insist(|| machine.request("GET", "/api/patients?q=blijver"))
        .await;
    assert_eq!(found["patients"][0]["given_name"], "Eva");
    let rival = machine.command(&["up"]);
    assert!(!rival.status.success(), "two at once on one folder");
    assert!(
        second
            .terminate(Duration::from_secs(60))
            .await
            .expect("ended")
            .success()
    );

    let key = machine.folder.path().join("data/keys/master.key");
    std::fs::rename(&key, key.with_extension("away")).expect("moved");
    let refused = machine.command(&["up"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("master.key"),
        "{said}"
    );
    std::fs::write(&key, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n").expect("written");
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("closed");
    let refused = machine.command(&["up"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("master"),
        "{said}"
    );
}

/// A small disk of its own for the installation, gone with this value.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    /// `None` where this user may not mount.
    fn mount(at: std::path::PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&at).expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=400m,mode=755", "tmpfs"])
            .arg(&at)
            .output();
        mounted
            .is_ok_and(|output| output.status.success())
            .then_some(Self(at))
    }

    fn filler(&self) -> std::path::PathBuf {
        self.0.join("filler")
    }

    /// Writes until nothing more fits.
    fn fill(&self) {
        use std::io::Write as _;
        let mut file = std::fs::File::create(self.filler()).expect("a file");
        for chunk in [&[7_u8; 1 << 16][..], &[7_u8; 512]] {
            while file.write_all(chunk).is_ok() {}
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Needs the right to mount; elsewhere it says that it was passed over.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_turns_recordings_away_and_with_room_again_all_goes_on() {
    let machine = Machine::new();
    let Some(disk) = SmallDisk::mount(machine.folder.path().join("data")) else {
        eprintln!("passed over: this user may not mount a small file system");
        return;
    };
    let mut hysio = machine.start().await;
    machine.sign_in().await;
    let audio = speech();
    let before = machine.accept(0, &audio).await;
    machine.wait_for(&before, "drafted").await;
    let waiting = machine.open(1).await;

    disk.fill();
    let refused = machine
        .upload(1, &waiting, &audio)
        .send()
        .await
        .expect("an answer");
    assert_eq!(refused.status(), StatusCode::INSUFFICIENT_STORAGE);
    let problem: Value = refused.json().await.expect("a problem");
    assert!(problem["detail"].is_string(), "{problem}");
    std::fs::remove_file(disk.filler()).expect("room");

    machine.insist(|| machine.upload(1, &waiting, &audio)).await;
    machine.wait_for(&waiting, "drafted").await;
    machine.wait_for(&before, "drafted").await;
    let proof = machine.command(&["audit", "verify"]);
    assert!(
        proof.status.success(),
        "{}",
        String::from_utf8_lossy(&proof.stderr)
    );
    let ended = hysio.terminate(Duration::from_secs(60)).await;
    assert!(ended.expect("ended").success(), "{}", hysio.output());
}

#[test]
fn what_was_installed_is_enough_to_measure_transcription() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("jfk.opus"), speech()).expect("written");
    let said = "And so, my fellow Americans, ask not what your country can do for you, ask what you can do for your country.";
    std::fs::write(folder.path().join("jfk.txt"), said).expect("written");
    let measured = Command::new(BINARY)
        .args(["evaluate", "transcription", "--json", "--model", "base"])
        .arg("--models")
        .arg(vendor_dir().join("speech"))
        .arg(folder.path())
        .output()
        .expect("run");
    assert!(
        measured.status.success(),
        "{}",
        String::from_utf8_lossy(&measured.stderr)
    );
    let report: Value = serde_json::from_slice(&measured.stdout).expect("JSON");
    assert!(report.to_string().contains("jfk"), "{report}");
}
