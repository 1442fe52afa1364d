//! Capacity that follows the work, for real: workers are started and drained, changes that must not hold go back, and nothing
//! is lost or done twice meanwhile.

use std::{
    io::BufRead as _,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use hysio_testkit::Hysio;
use nix::sys::signal::Signal;
use reqwest::Client;

use crate::machine::{Machine, WORK, kill, signal, speech};

const DICTATIONS: usize = 12;

/// How many transcription workers are wanted, and how many are ready.
async fn workers(machine: &Machine, operator: &Client) -> (i64, i64) {
    let state = machine
        .insist(|| machine.request_with(operator, "GET", "/api/scaling?minutes=1"))
        .await;
    let targets = state["targets"].as_array().expect("targets");
    let target = targets
        .iter()
        .find(|target| target["resource"] == "transcription_workers")
        .expect("workers");
    let number = |name: &str| target[name].as_i64().expect("a number");
    (number("desired"), number("ready"))
}

/// Waits until so many workers are wanted and ready.
async fn settled(machine: &Machine, operator: &Client, is: impl Fn(i64) -> bool) -> i64 {
    let deadline = Instant::now() + WORK;
    loop {
        let (desired, ready) = workers(machine, operator).await;
        if is(desired) && ready == desired {
            return desired;
        }
        assert!(Instant::now() < deadline, "{desired} wanted, {ready} ready");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// An installation that has its first backup, without which nothing is changed.
async fn started() -> (Machine, Hysio) {
    let machine = Machine::new();
    let hysio = machine.start().await;
    fit(&machine).await;
    (machine, hysio)
}

async fn fit(machine: &Machine) {
    let deadline = Instant::now() + WORK;
    while !machine.command(&["doctor"]).status.success() {
        assert!(Instant::now() < deadline, "not fit in time");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn prove(machine: &Machine) {
    let proof = machine.command(&["audit", "verify"]);
    let said = String::from_utf8_lossy(&proof.stderr);
    assert!(proof.status.success(), "{said}");
}

fn story(machine: &Machine) -> String {
    let told = machine.command(&["audit", "show", "--scaling"]);
    String::from_utf8_lossy(&told.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_dictations_starts_workers_that_leave_again_and_nothing_is_lost_or_done_twice() {
    let (machine, mut hysio) = started().await;
    machine.sign_in().await;
    let audio = speech();
    let mut accepted = Vec::new();
    for number in 0..DICTATIONS {
        accepted.push(machine.accept(number, &audio).await);
    }
    let operator = machine.somebody("operator").await;
    let most = settled(&machine, &operator, |desired| desired > 1).await;
    // One of those that have just come dies over its work.
    kill(machine.folder.path(), "hysio worker");
    for encounter in &accepted {
        let done = machine.wait_for(encounter, "drafted").await;
        let transcript = done["record"]["subjective"].as_str().expect("a draft");
        assert!(
            transcript.to_lowercase().contains("your country"),
            "{transcript}"
        );
    }
    let patients = machine
        .insist(|| machine.request("GET", "/api/patients?limit=100"))
        .await;
    let patients = patients["patients"].as_array().expect("patients").len();
    assert_eq!(
        patients, DICTATIONS,
        "nothing is missing, nothing there twice"
    );
    settled(&machine, &operator, |desired| desired == 1).await;
    let told = story(&machine);
    assert!(told.contains("transcription_workers: 1 → "), "{told}");
    assert!(most > 1 && told.contains("→ 1, completed"), "{told}");
    prove(&machine);
    assert!(
        hysio
            .terminate(Duration::from_secs(60))
            .await
            .expect("ended")
            .success()
    );
}

/// `hysio scale transcription_workers COUNT --wait`, up to the line that says this.
struct Scale {
    child: Child,
    lines: std::io::Lines<std::io::BufReader<std::process::ChildStdout>>,
}

impl Scale {
    fn begin(machine: &Machine, count: &str) -> Self {
        let arguments = [
            "scale",
            "transcription_workers",
            count,
            "--why",
            "a test of changes",
            "--wait",
        ];
        let mut child = machine
            .program(&arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        let stdout = child.stdout.take().expect("piped");
        let lines = std::io::BufReader::new(stdout).lines();
        Self { child, lines }
    }

    fn until(&mut self, says: &str) {
        let line = self
            .lines
            .find(|line| line.as_ref().is_ok_and(|line| line.contains(says)));
        assert!(line.is_some(), "{says:?} is never said: {}", self.errors());
    }

    fn errors(&mut self) -> String {
        let mut text = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            std::io::Read::read_to_string(&mut stderr, &mut text).expect("read");
        }
        text
    }

    /// Whether it succeeded, and what it said at last.
    fn end(mut self) -> (bool, String) {
        let mut said: Vec<String> = self.lines.by_ref().map_while(Result::ok).collect();
        said.push(self.errors());
        (self.child.wait().expect("ended").success(), said.join("\n"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_goes_on_after_its_scaler_was_killed_and_goes_back_when_it_does_not_hold() {
    let (machine, mut hysio) = started().await;
    let folder = machine.folder.path();
    let operator = machine.somebody("operator").await;

    // While the supervisor stands still nothing is started: the change stays where it is for as long as it is needed.
    signal(folder, "hysio up", Signal::SIGSTOP);
    let mut scale = Scale::begin(&machine, "3");
    scale.until("applied");
    kill(folder, "hysio scaler");
    signal(folder, "hysio up", Signal::SIGCONT);
    let (ended_well, said) = scale.end();
    assert!(ended_well && said.contains("verified"), "{said}");
    settled(&machine, &operator, |desired| desired == 3).await;

    signal(folder, "hysio up", Signal::SIGSTOP);
    let mut scale = Scale::begin(&machine, "5");
    scale.until("applied");
    signal(folder, "hysio diagnosecode", Signal::SIGSTOP);
    signal(folder, "hysio up", Signal::SIGCONT);
    let (ended_well, said) = scale.end();
    signal(folder, "hysio diagnosecode", Signal::SIGCONT);
    assert!(!ended_well && said.contains("rolled back to 3"), "{said}");
    assert!(
        said.contains("diagnosecode"),
        "it says what was silent: {said}"
    );
    settled(&machine, &operator, |desired| desired <= 3).await;

    let (ended_well, said) = Scale::begin(&machine, "40").end();
    assert!(!ended_well && said.contains("capacity_plan"), "{said}");

    // A second app shares the first one's address.
    let apps = machine.command(&[
        "scale",
        "app_instances",
        "2",
        "--why",
        "a test of apps",
        "--wait",
    ]);
    let said = String::from_utf8_lossy(&apps.stdout).into_owned();
    assert!(apps.status.success() && said.contains("2 ready"), "{said}");
    for _ in 0..40 {
        // Each over a connection of its own, so that the system chooses among the apps.
        let fresh = Client::new();
        let answer = machine.request_with(&fresh, "GET", "/health").send().await;
        assert!(answer.expect("an answer").status().is_success());
    }
    let state = machine
        .insist(|| machine.request_with(&operator, "GET", "/api/scaling?minutes=1"))
        .await;
    let instances = state["instances"].as_array().expect("instances");
    let apps = instances
        .iter()
        .filter(|it| it["service"] == "app" && it["ready"] == true);
    assert_eq!(apps.count(), 2, "{instances:?}");

    let told = story(&machine);
    for ending in ["1 → 3, completed", "3 → 5, rolled back", "→ 40, refused"] {
        assert!(told.contains(ending), "{ending} in {told}");
    }
    prove(&machine);
    assert!(
        hysio
            .terminate(Duration::from_secs(60))
            .await
            .expect("ended")
            .success()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_policies_and_hung_workers_stop_neither_care_nor_changes() {
    let policies = tempfile::tempdir().expect("a folder");
    let shipped = hysio_testkit::repository_dir().join("config/scaling");
    for file in std::fs::read_dir(shipped).expect("policies").flatten() {
        std::fs::copy(file.path(), policies.path().join(file.file_name())).expect("copied");
    }
    let folder = policies.path().display().to_string();
    let machine = Machine::with([("HYSIO__SCALING__POLICIES", folder.as_str())]);
    let mut hysio = machine.start().await;
    fit(&machine).await;
    let operator = machine.somebody("operator").await;
    let installation = machine.folder.path();

    std::fs::write(policies.path().join("limits.yaml"), "resources: 5\n").expect("broken");
    kill(installation, "hysio scaler");
    let (ended_well, said) = Scale::begin(&machine, "2").end();
    assert!(
        ended_well && said.contains("policy files are refused"),
        "{said}"
    );
    let state = machine
        .insist(|| machine.request_with(&operator, "GET", "/api/scaling?minutes=1"))
        .await;
    assert!(
        state["policies_refused"].is_string(),
        "{}",
        state["policies_refused"]
    );
    assert_eq!(state["scenarios"][0], "pandemic_response");

    // One of the two hangs: another takes its place, and it is the one that leaves.
    let hung = signal(installation, "hysio worker", Signal::SIGSTOP);
    let deadline = Instant::now() + WORK;
    while !hysio.output().contains("hangs; another takes its place") {
        assert!(Instant::now() < deadline, "replaced in time");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let (ended_well, said) = Scale::begin(&machine, "3").end();
    assert!(ended_well, "{said}");
    for pid in hung {
        // It may have been killed already.
        let _ = nix::sys::signal::kill(pid, Signal::SIGKILL);
    }
    prove(&machine);
    assert!(
        hysio
            .terminate(Duration::from_secs(90))
            .await
            .expect("ended")
            .success()
    );
}
