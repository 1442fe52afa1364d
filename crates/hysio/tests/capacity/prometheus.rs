//! Weeks from a real Prometheus server, which holds what was backfilled with its own tool.

use std::{
    fmt::Write as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

use crate::{json, refusal};

const DAYS: i64 = 36;
const EVERY: i64 = 300;
/// Nothing is known of it, twelve days ago.
const GAP_HOURS: i64 = 5;
const READY_WITHIN: Duration = Duration::from_secs(60);

struct Prometheus {
    process: Child,
    url: String,
    _folder: TempDir,
}

impl Prometheus {
    fn with_weeks_behind_it() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (metrics, data) = (folder.path().join("metrics"), folder.path().join("data"));
        std::fs::write(&metrics, weeks()).expect("written");
        let backfilled = Command::new("promtool")
            .args([
                "tsdb",
                "create-blocks-from",
                "openmetrics",
                "--max-block-duration=1024h",
            ])
            .args([&metrics, &data])
            .output()
            .expect("promtool: run ./hysio install tests");
        assert!(
            backfilled.status.success(),
            "{}",
            String::from_utf8_lossy(&backfilled.stderr)
        );
        Self::start(folder, &data)
    }

    fn start(folder: TempDir, data: &Path) -> Self {
        let config = folder.path().join("prometheus.yml");
        std::fs::write(&config, "global: {}\n").expect("written");
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--storage.tsdb.retention.time=1y")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus: run ./hysio install tests");
        let deadline = Instant::now() + READY_WITHIN;
        let url = format!("http://{address}");
        while !is_ready(&url) {
            assert!(Instant::now() < deadline, "Prometheus is not ready");
            std::thread::sleep(Duration::from_millis(50));
        }
        Self {
            process,
            url,
            _folder: folder,
        }
    }

    fn asks<'a>(&'a self, command: &[&'a str], query: &'a str) -> Vec<&'a str> {
        let mut arguments = vec!["capacity"];
        arguments.extend(command);
        arguments.extend(["--prometheus", &self.url, "--query", query, "--json"]);
        arguments
    }
}

/// It listens before it answers.
fn is_ready(url: &str) -> bool {
    let asked = Command::new("promtool")
        .args(["query", "instant", url, "vector(1)"])
        .output();
    asked.expect("run").status.success()
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Two apps with sessions in working hours, a gap, and a counter of jobs that starts again each day: OpenMetrics.
fn weeks() -> String {
    let now = Timestamp::now().as_second().div_euclid(3_600) * 3_600;
    let start = now - DAYS * 86_400;
    let gap = now - 12 * 86_400..now - 12 * 86_400 + GAP_HOURS * 3_600;
    let times = || (start..now).step_by(300).filter(|at| !gap.contains(at));
    let mut text = String::from("# TYPE active_sessions gauge\n");
    for app in ["a", "b"] {
        for at in times() {
            let hour = at.rem_euclid(86_400) / 3_600;
            let busy = if (9..17).contains(&hour) { 200 } else { 50 };
            let _ = writeln!(
                text,
                "active_sessions{{app=\"{app}\"}} {} {at}",
                busy + at / EVERY % 7
            );
        }
    }
    text += "# TYPE jobs counter\n";
    for at in times() {
        // Ten a minute, from nothing at each midnight.
        let _ = writeln!(text, "jobs_total {} {at}", at.rem_euclid(86_400) / 6);
    }
    text + "# EOF\n"
}

#[test]
fn a_server_is_asked_for_weeks_and_answers_as_a_file_would() {
    let server = Prometheus::with_weeks_behind_it();
    let analyse = ["analyse", "--since", "5w", "--step", "1h"];
    let report = json(&server.asks(&analyse, "sum(active_sessions)"));
    let day = &report["analysis"]["day"];
    assert_eq!(day["is_real"], true, "{day}");
    let peaks: Vec<u64> = day["peaks"]
        .as_array()
        .expect("hours")
        .iter()
        .filter_map(Value::as_u64)
        .collect();
    assert!(
        !peaks.is_empty() && peaks.iter().all(|hour| (9..=17).contains(hour)),
        "{peaks:?}"
    );
    let trace = &report["trace"];
    let gaps = trace["gaps"].as_i64().expect("a number");
    // The server goes on with a value for five minutes.
    assert!((GAP_HOURS - 1..=GAP_HOURS + 1).contains(&gaps), "{trace}");

    // More points than one answer holds.
    let fine = ["analyse", "--since", "2w", "--step", "1m"];
    let report = json(&server.asks(&fine, "sum(active_sessions)"));
    assert!(
        report["trace"]["rows"].as_i64() > Some(18_000),
        "{}",
        report["trace"]
    );

    // A counter that starts again is no negative demand.
    let report = json(&server.asks(&analyse, "rate(jobs_total[1h]) * 60"));
    let hours = report["analysis"]["day"]["slots"].as_array();
    for hour in hours.expect("hours") {
        let mean = hour["mean"].as_f64().expect("a number");
        assert!((8.0..12.0).contains(&mean), "ten a minute: {hour}");
    }

    let forecast = json(&server.asks(
        &["forecast", "--since", "5w", "--step", "1h"],
        "sum(active_sessions)",
    ));
    let points = forecast["outlook"]["short"]["points"]
        .as_array()
        .expect("points");
    assert_eq!(points.len(), 48);
}

#[test]
fn what_a_server_can_not_answer_is_said_in_its_words_and_with_the_way_out() {
    let server = Prometheus::with_weeks_behind_it();
    let refused = |query| refusal(&server.asks(&["analyse"], query));
    let said = refused("active_sessions");
    assert!(
        said.contains("2 series") && said.contains("sum(active_sessions)"),
        "{said}"
    );
    let said = refused("sum(active_sessions");
    assert!(
        said.contains("refused") && said.contains("parse error"),
        "{said}"
    );
    let said = refused("nothing_of_that_name");
    assert!(
        said.contains("no values") && said.contains("--since"),
        "{said}"
    );
    let said = refused("sum(active_sessions) / 0 * 0");
    assert!(said.contains("no values"), "nothing but NaN: {said}");
}
