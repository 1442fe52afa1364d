//! The planner from the command line: traces in, tables, JSON and a report out, and errors that say where and what to do.

mod prometheus;

use std::{
    fmt::Write as _,
    path::PathBuf,
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_hysio");

fn hysio(arguments: &[&str]) -> Output {
    Command::new(BINARY)
        .args(arguments)
        .output()
        .expect("it runs")
}

fn json(arguments: &[&str]) -> Value {
    let output = hysio(arguments);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("it is JSON")
}

/// What is said on standard error by a command that fails.
fn refusal(arguments: &[&str]) -> String {
    let output = hysio(arguments);
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).expect("it is text")
}

/// Ten weeks of hours with a busy middle of the day.
fn trace() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("sessions.csv");
    let mut text = String::from("timestamp,active_sessions\n");
    for hour in 0..70 * 24 {
        let start: jiff::Timestamp = "2024-01-01T00:00:00Z".parse().expect("a time");
        let at = start + jiff::SignedDuration::from_hours(hour);
        let busy = if (9..17).contains(&(hour % 24)) {
            400
        } else {
            100
        };
        let _ = writeln!(text, "{at},{}", busy + hour * 7919 % 31);
    }
    std::fs::write(&file, text).expect("written");
    (folder, file)
}

#[test]
fn peaks_are_found_and_capacity_is_rounded_up() {
    let (_folder, file) = trace();
    let report = json(&["capacity", "analyse", file.to_str().unwrap(), "--json"]);
    let day = &report["analysis"]["day"];
    assert_eq!(day["is_real"], true);
    let peaks: Vec<u64> = day["peaks"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_u64)
        .collect();
    assert!(
        !peaks.is_empty() && peaks.iter().all(|hour| (9..17).contains(hour)),
        "{peaks:?}"
    );
    assert_eq!(report["trace"]["aggregate"], "mean");
    // 3 × 415 / 215
    assert_eq!(report["analysis"]["recommended"][0]["peak"], 6);
}

#[test]
fn a_forecast_has_48_hours_12_months_and_a_report_that_needs_nothing_else() {
    let (folder, file) = trace();
    let page = folder.path().join("plan.html");
    let paper = folder.path().join("plan.pdf");
    let report = json(&[
        "capacity",
        "forecast",
        file.to_str().unwrap(),
        "--json",
        "--html",
        page.to_str().unwrap(),
        "--pdf",
        paper.to_str().unwrap(),
        "--quota",
        "4",
    ]);
    assert!(std::fs::read(&paper).unwrap().starts_with(b"%PDF-"));
    let outlook = &report["outlook"];
    assert_eq!(outlook["short"]["points"].as_array().unwrap().len(), 48);
    assert_eq!(outlook["long"]["months"].as_array().unwrap().len(), 12);
    assert_eq!(outlook["long"]["growth"], Value::Null);
    assert!(
        outlook["short"]["warnings"][0]
            .as_str()
            .unwrap()
            .contains("quota")
    );
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.matches("<svg").count() >= 6 && page.matches("<table>").count() >= 6);
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("<script"));
}

#[test]
fn forecasts_are_scored_against_the_naive() {
    let (_folder, file) = trace();
    let report = json(&[
        "evaluate",
        "forecast",
        file.to_str().unwrap(),
        "--window",
        "6w",
        "--origins",
        "9",
        "--json",
    ]);
    let models = report["models"].as_array().unwrap();
    assert_eq!(report["plan"]["origins"], 9);
    let ours = models
        .iter()
        .find(|it| it["model"] == "fourier_regression")
        .unwrap();
    assert!(ours["score"]["wape"].as_f64().unwrap() < 0.2);
}

#[test]
fn a_size_is_found_and_an_objective_that_no_count_meets_is_refused_with_the_reason() {
    let sizing = json(&[
        "capacity",
        "size",
        "--rate",
        "12/min",
        "--service-mean",
        "1.2s",
        "--json",
    ]);
    assert_eq!(sizing["sizing"]["for_demand"], 1);
    assert_eq!(sizing["sizing"]["replicas"], 3);
    let error = refusal(&[
        "capacity",
        "size",
        "--rate",
        "12/min",
        "--service-mean",
        "2s",
    ]);
    assert!(
        error.contains("no number of replicas can meet it") && error.contains("1.67 s"),
        "{error}"
    );
}

#[test]
fn a_month_costs_what_the_seed_says_and_is_shared_to_the_cent() {
    let bill = json(&[
        "capacity",
        "cost",
        "--instances",
        "3",
        "--gpu",
        "cardiology=2",
        "--share",
        "a=1",
        "--share",
        "b=2",
        "--json",
    ]);
    assert_eq!(
        bill["items"][0][1].as_f64().unwrap()
            + bill["items"][1][1].as_f64().unwrap()
            + bill["items"][2][1].as_f64().unwrap(),
        2000.0
    );
    let shares = bill["shares"]["a"].as_f64().unwrap() + bill["shares"]["b"].as_f64().unwrap();
    assert!((shares - bill["total"].as_f64().unwrap()).abs() < 1e-6);
}

/// A folder with a forecast and an HPA for the app, and a trace of minutes for them.
fn policies() -> (TempDir, String, String) {
    let (folder, file) = trace();
    let policies = folder.path().join("policies");
    std::fs::create_dir(&policies).expect("made");
    let files = [
        (
            "limits.yaml",
            "# Kept as it is.\nresources:\n  app_instances: {min: 2, max: 20, scale_in_after_seconds: 300}\n",
        ),
        (
            "forecast.yaml",
            "forecast:\n  policies:\n    - {name: sessions, resource: app_instances, signal: active_sessions, per_instance: 50, lead_seconds: 900, step_seconds: 3600, history_steps: 336, most: 20}\n",
        ),
        (
            "hpa.yaml",
            "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: app}\nspec:\n  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: hysio-app}\n  minReplicas: 2\n  maxReplicas: 20\n  metrics:\n  - type: Resource\n    resource: {name: cpu, target: {type: Utilization, averageUtilization: 90}}\n",
        ),
    ];
    for (name, text) in files {
        std::fs::write(policies.join(name), text).expect("written");
    }
    let (file, policies) = (file.display().to_string(), policies.display().to_string());
    (folder, file, policies)
}

const REPLAY: [&str; 8] = [
    "--resource",
    "app_instances",
    "--jobs-per-unit",
    "0.01",
    "--service-mean",
    "1s",
    "--startup",
    "600s",
];

#[test]
fn policies_are_replayed_with_every_fault_and_the_same_seed_gives_the_same_bytes() {
    let (_folder, file, policies) = policies();
    let mut arguments = vec!["simulate", &file, "--policies", &policies];
    arguments.extend(REPLAY);
    arguments.extend(["--last", "6d", "--faults", "all", "--json"]);
    let (first, again) = (hysio(&arguments), hysio(&arguments));
    assert!(
        first.status.success(),
        "{}",
        String::from_utf8_lossy(&first.stderr)
    );
    assert_eq!(first.stdout, again.stdout);
    let rows: Value = serde_json::from_slice(&first.stdout).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 3);
    assert!(rows[0]["totals"]["refused"].as_u64().unwrap() > 0, "{rows}");
    assert!(
        rows[0]["score"]["longest_recovery_seconds"]
            .as_f64()
            .unwrap()
            > 600.0
    );
    arguments.extend(["--seed", "2"]);
    assert_ne!(first.stdout, hysio(&arguments).stdout);
}

#[test]
fn a_fault_that_is_none_is_refused_with_those_there_are() {
    let (_folder, file, policies) = policies();
    let mut arguments = vec!["simulate", &file, "--policies", &policies];
    arguments.extend(REPLAY);
    arguments.extend(["--faults", "fire"]);
    let output = hysio(&arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && error.contains("lost-zone"),
        "{error}"
    );
}

#[test]
fn sets_of_policies_are_scored_side_by_side() {
    let (_folder, file, policies) = policies();
    let mut arguments = vec![
        "evaluate",
        "policies",
        &file,
        "--policies",
        &policies,
        &policies,
    ];
    arguments.extend(REPLAY);
    arguments.extend(["--last", "4d", "--json"]);
    let report = json(&arguments);
    let rows = report["policies"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    for score in [
        "under_accuracy",
        "over_time",
        "instability",
        "jitter",
        "late_jobs",
        "over_capacity_work",
        "against_oracle",
        "actions_a_day",
        "recovery_seconds",
    ] {
        assert!(rows[0]["score"][score].is_f64(), "{score}");
    }
    assert_eq!(rows[0]["score"], rows[1]["score"]);
}

#[test]
fn tuning_writes_the_same_manifests_with_other_numbers_only_where_they_win_on_held_out_days() {
    let (folder, file, policies) = policies();
    let better = folder.path().join("better");
    let page = folder.path().join("tuned.html");
    let mut arguments = vec!["simulate", &file, "--policies", &policies];
    arguments.extend(REPLAY);
    let written = better.display().to_string();
    arguments.extend([
        "--last", "4d", "--tune", "30", "--write", &written, "--json",
    ]);
    arguments.extend(["--html", page.to_str().unwrap()]);
    let tuned = json(&arguments);
    let front = tuned["front"].as_array().unwrap();
    assert!(!front.is_empty());
    let [stated, held_out] = ["stated", "held_out"].map(|it| tuned[it].clone());
    assert!(stated["score"]["late_jobs"].is_f64() && held_out[0]["score"]["late_jobs"].is_f64());
    let page = std::fs::read_to_string(&page).unwrap();
    assert!(page.contains("<svg") && !page.contains("<script") && !page.contains("http://"));
    let Some(taken) = tuned["advice"].get("take") else {
        assert!(
            !better.exists(),
            "nothing is written that is not recommended"
        );
        return;
    };
    let missed = |row: &Value| row["score"]["late_jobs"].as_f64().unwrap();
    assert!(missed(&held_out[1]) <= missed(&held_out[0]), "{taken}");
    let limits = std::fs::read_to_string(better.join("limits.yaml")).unwrap();
    assert!(limits.starts_with("# Kept as it is.\n"), "{limits}");
    let mut again = vec!["evaluate", "policies", &file, "--policies", &written];
    again.extend(REPLAY);
    again.extend(["--last", "2d", "--json"]);
    json(&again);
    // What is there is not written over.
    arguments.retain(|it| *it != "--json");
    assert!(refusal(&arguments).contains("not empty"));
}

#[test]
fn a_synthetic_day_needs_no_trace() {
    let (_folder, _file, policies) = policies();
    let mut arguments = vec!["simulate", "--synthetic", "--policies", &policies];
    arguments.extend([
        "--resource",
        "app_instances",
        "--service-mean",
        "2s",
        "--objective",
        "p95<10s",
    ]);
    arguments.extend(["--last", "1d", "--json"]);
    let rows = json(&arguments);
    assert!(rows[0]["totals"]["arrived"].as_f64().unwrap() > 3_000.0);
}

#[test]
fn a_wrong_trace_is_refused_with_its_place() {
    let (folder, file) = trace();
    let error = refusal(&[
        "capacity",
        "analyse",
        file.to_str().unwrap(),
        "--column",
        "visits",
    ]);
    assert!(error.contains("timestamp, active_sessions"), "{error}");
    let broken = folder.path().join("broken.csv");
    std::fs::write(&broken, "t,v\n2024-01-01,1\n2024-01-02,many\n").unwrap();
    let error = refusal(&["capacity", "analyse", broken.to_str().unwrap()]);
    assert!(
        error.contains("broken.csv:3") && error.contains("\"many\""),
        "{error}"
    );
    let error = refusal(&["capacity", "analyse", "nowhere.csv"]);
    assert!(error.contains("nowhere.csv"), "{error}");
}

#[test]
fn a_week_is_told_what_it_can_not_say_about_a_year() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("week.csv");
    let mut text = String::from("timestamp,active_sessions\n");
    for hour in 0..7 * 24 {
        let _ = writeln!(
            text,
            "2024-01-{:02} {:02}:00,{}",
            1 + hour / 24,
            hour % 24,
            50 + hour * 7919 % 31
        );
    }
    std::fs::write(&file, text).unwrap();
    let report = json(&["capacity", "forecast", file.to_str().unwrap(), "--json"]);
    assert_eq!(report["outlook"]["long"]["growth"], Value::Null);
    let unknown = report["outlook"]["long"]["unknown"].to_string();
    assert!(unknown.contains("season"), "{unknown}");
}

#[test]
fn what_is_odd_in_a_file_is_said_with_its_line_and_not_taken_for_demand() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("odd.csv");
    // A gap, a negative value, NaN, a time twice, and the hour that is there twice when clocks are set back.
    let mut text = String::from("timestamp,active_sessions\n");
    for hour in 0..72 {
        if hour == 30 {
            continue;
        }
        let value = match hour {
            10 => "-5".to_owned(),
            11 => "NaN".to_owned(),
            _ => (100 + hour).to_string(),
        };
        let _ = writeln!(
            text,
            "2024-10-{:02} {:02}:00,{value}",
            25 + hour / 24,
            hour % 24
        );
    }
    text += "2024-10-27 23:00,400\n";
    std::fs::write(&file, text).unwrap();
    let report = json(&[
        "capacity",
        "analyse",
        file.to_str().unwrap(),
        "--tz",
        "Europe/Amsterdam",
        "--json",
    ]);
    let trace = &report["trace"];
    assert_eq!(trace["negative"]["first_line"], 12);
    assert_eq!(trace["without_value"], 1);
    assert_eq!(trace["duplicates"]["count"], 1);
    assert!(trace["gaps"].as_u64().unwrap() >= 2, "{trace}");
}

#[test]
fn a_counter_that_starts_again_is_counted_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("counter.csv");
    let mut text = String::from("timestamp,requests_total\n");
    for minute in 0..600 {
        let _ = writeln!(
            text,
            "2024-05-01 {:02}:{:02}:00,{}",
            minute / 60,
            minute % 60,
            minute % 300 * 10
        );
    }
    std::fs::write(&file, text).unwrap();
    let report = json(&[
        "capacity",
        "analyse",
        file.to_str().unwrap(),
        "--aggregate",
        "counter",
        "--json",
    ]);
    assert_eq!(report["trace"]["counter_resets"]["count"], 1);
    let mean = report["analysis"]["mean"].as_f64().unwrap();
    assert!((mean - 10.0).abs() < 0.5, "{mean}");
}

#[test]
fn a_prometheus_that_is_down_or_answers_otherwise_is_named() {
    let nobody = "http://127.0.0.1:1";
    let error = refusal(&[
        "capacity",
        "analyse",
        "--prometheus",
        nobody,
        "--query",
        "up",
    ]);
    assert!(error.contains(nobody), "{error}");
    let (url, server) =
        answering(r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#);
    let error = refusal(&[
        "capacity",
        "analyse",
        "--prometheus",
        &url,
        "--query",
        "nothing_here",
    ]);
    assert!(
        error.contains("no values") && error.contains("nothing_here") && error.contains("--since"),
        "{error}"
    );
    server.join().unwrap();
    let (url, server) = answering("<html>a proxy</html>");
    let error = refusal(&["capacity", "analyse", "--prometheus", &url, "--query", "up"]);
    assert!(
        error.contains("not as Prometheus does") && error.contains("<html>a proxy"),
        "{error}"
    );
    server.join().unwrap();
}

/// A server that gives one answer to one request.
fn answering(body: &'static str) -> (String, std::thread::JoinHandle<()>) {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a request");
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).expect("it works");
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).expect("it works");
        stream.write_all(body.as_bytes()).expect("it works");
    });
    (url, server)
}

/// More than the process may hold in memory comes through a pipe: what is kept is the series alone.
#[test]
fn a_trace_that_is_larger_than_the_memory_is_streamed() {
    use std::io::Write as _;
    let mut child = Command::new("bash")
        .args([
            "-c",
            "ulimit -v 1500000 && exec \"$0\" capacity analyse - --step 1h --json",
            BINARY,
        ])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = std::io::BufWriter::with_capacity(1 << 20, child.stdin.take().unwrap());
    // A wide file: 2 kB a row, a row a second for eleven days, 2 GB.
    let padding = "x".repeat(2_000);
    writeln!(pipe, "timestamp,active_sessions,note").unwrap();
    let start = 1_704_067_200_i64;
    for second in 0..1_000_000_i64 {
        writeln!(
            pipe,
            "{},{},{padding}",
            start + second,
            100 + second / 3600 % 24
        )
        .unwrap();
    }
    drop(pipe);
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["trace"]["rows"], 1_000_000);
}

#[test]
fn how_bursty_arrivals_are_is_measured_from_a_trace_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("batches.csv");
    let mut text = String::from("timestamp,requests\n");
    let start: jiff::Timestamp = "2024-05-01T00:00:00Z".parse().unwrap();
    // Every third minute nine at once.
    for minute in 0..900 {
        let at = start + jiff::SignedDuration::from_mins(minute);
        let _ = writeln!(text, "{at},{}", if minute * 7919 % 3 == 0 { 9 } else { 1 });
    }
    std::fs::write(&file, text).unwrap();
    let size = |more: &[&str]| {
        let mut arguments = vec![
            "capacity",
            "size",
            "--rate",
            "5/s",
            "--service-mean",
            "1s",
            "--json",
        ];
        arguments.extend(more);
        json(&arguments)
    };
    let measured = size(&["--arrivals", file.to_str().unwrap()]);
    assert!(measured["arrivals"]["variability"].as_f64().unwrap() > 3.0);
    let replicas = |sizing: &Value| sizing["sizing"]["for_demand"].as_u64().unwrap();
    assert!(replicas(&measured) > replicas(&size(&[])));
}
