//! A cluster for a test, and clinicians at work in it.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

pub const HYSIO: &str = env!("CARGO_BIN_EXE_hysio");
const BACK_WITHIN: Duration = Duration::from_secs(120);

/// Two clusters at once are more than a small machine has room for.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// One cluster; ended with this value.
pub struct Cluster {
    state: tempfile::TempDir,
    program: PathBuf,
    _alone: MutexGuard<'static, ()>,
}

impl Cluster {
    /// Each test has ports of its own.
    pub fn up(base_port: u16) -> Self {
        Self::up_with(base_port, &["--no-prometheus", "--no-backups"])
    }

    pub fn up_with(base_port: u16, more: &[&str]) -> Self {
        Self::prepared().start(base_port, more)
    }

    /// Its place; nothing runs yet.
    pub fn prepared() -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let state = tempfile::tempdir().expect("a folder");
        // The servers' own user passes through.
        std::fs::set_permissions(state.path(), std::fs::Permissions::from_mode(0o711))
            .expect("set");
        Self {
            state,
            program: HYSIO.into(),
            _alone: alone,
        }
    }

    /// A copy of the program of its own, which another version may take the place of.
    pub fn with_its_own_program(mut self) -> Self {
        let program = self.state.path().join("hysio");
        std::fs::copy(HYSIO, &program).expect("copied");
        self.program = program;
        self
    }

    /// Puts another version in the program's place, as a package manager does.
    pub fn upgrade_to(&self, program: &Path) {
        let new = self.program.with_extension("new");
        std::fs::copy(program, &new).unwrap_or_else(|error| {
            panic!(
                "{}: {error}: cargo build --release --example next_version",
                program.display()
            )
        });
        std::fs::rename(&new, &self.program).expect("put in its place");
    }

    pub fn start(self, base_port: u16, more: &[&str]) -> Self {
        let cluster = self;
        let port = base_port.to_string();
        let arguments = [
            "--base-port",
            &port,
            "--transcription",
            "1",
            "--diagnosecode",
            "1",
        ];
        let mut command = cluster.hysio(&["cluster", "up"]);
        let output = command
            .args(arguments)
            .args(more)
            .args(cluster.place())
            .output()
            .expect("started");
        assert!(
            output.status.success(),
            "{}\n{}",
            text(&output),
            cluster.log("cluster")
        );
        cluster
    }

    pub fn down(&self) {
        let _ = self.hysio(&["cluster", "down"]).args(self.place()).output();
    }

    pub fn place(&self) -> [String; 2] {
        ["--state".to_owned(), self.folder().display().to_string()]
    }

    pub fn folder(&self) -> PathBuf {
        self.state.path().join("cluster")
    }

    pub fn hysio(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        let vendor = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vendor");
        command.args(arguments).env("HYSIO__PATHS__INSTALL", vendor);
        command
    }

    /// A command that works with the cluster as its operator does.
    pub fn operator(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .env("HYSIO_CONFIG", self.folder().join("operator.yaml"));
        command
    }

    pub fn state(&self) -> Value {
        let text = std::fs::read_to_string(self.folder().join("state.json")).expect("a state");
        serde_json::from_str(&text).expect("JSON")
    }

    pub fn pid(&self, service: &str) -> Option<i32> {
        let pid = self.state()["services"][service]["pid"].as_i64()?;
        i32::try_from(pid).ok()
    }

    pub fn signal(&self, service: &str, signal: Signal) {
        let pid = self.pid(service).expect("it runs");
        kill(Pid::from_raw(pid), signal).expect("signalled");
    }

    /// Kills a service as a power cut would, and waits until it was started again.
    pub fn kill(&self, service: &str) {
        let before = self.pid(service);
        self.signal(service, Signal::SIGKILL);
        let deadline = Instant::now() + BACK_WITHIN;
        while self.pid(service).is_none() || self.pid(service) == before {
            assert!(Instant::now() < deadline, "{service} was not started again");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Every node forgets all that it holds.
    pub fn empty_redis(&self) {
        let secrets = std::fs::read_to_string(self.folder().join("secrets.json")).expect("secrets");
        let secrets: Value = serde_json::from_str(&secrets).expect("JSON");
        let services = self.state()["services"].clone();
        for (name, service) in services.as_object().expect("services") {
            if !name.starts_with("redis") {
                continue;
            }
            let (_, port) = service["address"]
                .as_str()
                .and_then(|it| it.split_once(':'))
                .expect("an address");
            let emptied = Command::new("redis-cli")
                .env(
                    "REDISCLI_AUTH",
                    secrets["redis"].as_str().expect("a password"),
                )
                .args(["-h", "127.0.0.1", "-p", port, "--tls", "--cacert"])
                .arg(self.folder().join("etc/tls/ca.pem"))
                .arg("FLUSHALL")
                .output()
                .expect("run");
            // Replicas refuse, and follow their masters.
            assert!(emptied.status.success(), "{}", text(&emptied));
        }
    }

    /// Every service; another order with `HYSIO_TEST_SEED=…`.
    pub fn in_random_order(&self) -> Vec<String> {
        let seed =
            std::env::var("HYSIO_TEST_SEED").map_or(1, |seed| seed.parse().expect("a number"));
        let mut names: Vec<String> = self.state()["services"]
            .as_object()
            .expect("services")
            .keys()
            .cloned()
            .collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut names);
        eprintln!("seed {seed}: {}", names.join(", "));
        names
    }

    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder().join(format!("log/{name}.log"))).unwrap_or_default()
    }

    /// Clinicians at work for so long, in a process of its own.
    pub fn load(&self, seconds: u64) -> Load {
        self.load_of(40, seconds, "1")
    }

    pub fn load_of(&self, clinicians: u32, seconds: u64, tries: &str) -> Load {
        let (clinicians, seconds) = (clinicians.to_string(), seconds.to_string());
        let arguments = [
            "load",
            "--clinicians",
            &clinicians,
            "--rates",
            "40",
            "--warm-up",
            "2",
            "--prove",
            "--json",
            "--tries",
            tries,
            "--seconds",
        ];
        let mut command = self.operator(&arguments);
        command
            .arg(&seconds)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Load(command.spawn().expect("started"))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.down();
    }
}

pub struct Load(pub Child);

impl Load {
    pub fn goes_on(&mut self) -> bool {
        self.0.try_wait().expect("asked").is_none()
    }

    /// Its figures; it has failed if an acknowledged save is missing or a version is there twice.
    pub fn figures(self) -> Value {
        let output = self.0.wait_with_output().expect("ended");
        assert!(output.status.success(), "{}", text(&output));
        let figures: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let proof = &figures["proof"];
        assert!(proof["acknowledged"].as_u64() > Some(0), "{figures}");
        assert_eq!(proof["acknowledged"], proof["present"], "{figures}");
        assert_eq!(proof["too_many"], 0, "{figures}");
        figures
    }

    pub fn availability(figures: &Value) -> f64 {
        figures["runs"][0]["availability"]
            .as_f64()
            .expect("a share")
    }
}

pub fn text(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}

pub fn pause(seconds: u64) {
    std::thread::sleep(Duration::from_secs(seconds));
}
