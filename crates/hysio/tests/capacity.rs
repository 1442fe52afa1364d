//! The planner from the command line: traces in, tables, JSON and a report out, and errors that say where and what to do.

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
    let report = json(&[
        "capacity",
        "forecast",
        file.to_str().unwrap(),
        "--json",
        "--html",
        page.to_str().unwrap(),
        "--quota",
        "4",
    ]);
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

#[test]
fn policies_are_replayed_and_the_same_seed_gives_the_same_run() {
    let (folder, file) = trace();
    let policies = folder.path().join("policies");
    std::fs::create_dir(&policies).unwrap();
    std::fs::write(
        policies.join("limits.yaml"),
        "resources:\n  app_instances: {min: 2, max: 20}\n",
    )
    .unwrap();
    let forecast = "forecast:\n  policies:\n    - {name: sessions, resource: app_instances, signal: active_sessions, per_instance: 50, lead_seconds: 900, step_seconds: 3600, history_steps: 336, most: 20}\n";
    std::fs::write(policies.join("forecast.yaml"), forecast).unwrap();
    let arguments = [
        "simulate",
        file.to_str().unwrap(),
        "--policies",
        policies.to_str().unwrap(),
        "--resource",
        "app_instances",
        "--jobs-per-unit",
        "0.01",
        "--service-mean",
        "1s",
        "--last",
        "12d",
        "--chaos",
        "lost-zone",
        "--json",
    ];
    let rows = json(&arguments);
    assert_eq!(rows, json(&arguments));
    assert_eq!(rows.as_array().unwrap().len(), 3);
    assert!(rows[0]["totals"]["changes"].as_u64().unwrap() > 4);
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
