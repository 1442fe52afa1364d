//! The vectors in `tests/vectors`: what the real controllers decided.

#![expect(clippy::unwrap_used, reason = "the helpers of tests panic as tests do")]

use hysio_scaling::conformance::{self, Report};

fn run(file: &str) -> Report {
    let path = format!("{}/tests/vectors/{file}.json", env!("CARGO_MANIFEST_DIR"));
    conformance::run(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn every_vector_comes_out_as_the_real_controller_decided() {
    for (file, count) in [
        ("replica_calculator", 44),
        ("group_pods", 8),
        ("pod_requests", 3),
        ("limits_no_behavior", 2),
        ("behavior_rate", 28),
        ("stabilization", 8),
        ("scale_events", 3),
        ("reconcile", 52),
        ("keda", 33),
    ] {
        let report = run(file);
        let failures: Vec<_> = report.failures().collect();
        assert!(failures.is_empty(), "{file}: {failures:#?}");
        assert_eq!(report.vectors.len(), count, "{file}");
    }
}

#[test]
fn a_falsified_vector_fails_and_says_what_came_out_instead() {
    let text = r#"{"vectors": [{
        "name": "falsified", "function": "limit_without_behavior", "expect": {"replicas": 9, "reason": "DesiredWithinRange"},
        "current_replicas": 4, "desired_replicas": 5, "min_replicas": 1, "max_replicas": 10,
        "scale_up_limit_factor": 2, "scale_up_limit_minimum": 4
    }]}"#;
    let report = conformance::run(text).unwrap();
    assert_eq!(report.passed(), 0);
    let (vector, failure) = report.failures().next().unwrap();
    assert_eq!(vector.name, "falsified");
    assert_eq!(failure.got["replicas"], 5);
}

#[test]
fn an_expectation_that_nothing_produces_and_an_error_that_nobody_expected_are_failures() {
    let inputs =
        r#""function": "hpa_bounds", "min_replica_count": null, "max_replica_count": null"#;
    let unknown_key =
        format!(r#"{{"vectors": [{{"name": "a", {inputs}, "expect": {{"hpa_middle": 3}}}}]}}"#);
    assert_eq!(conformance::run(&unknown_key).unwrap().passed(), 0);
    let error = r#"{"vectors": [{"name": "b", "function": "redis_metadata", "metadata": {}, "expect": {"tls": false}}]}"#;
    assert_eq!(conformance::run(error).unwrap().passed(), 0);
    let no_error =
        format!(r#"{{"vectors": [{{"name": "c", {inputs}, "expect": {{"error": true}}}}]}}"#);
    assert_eq!(conformance::run(&no_error).unwrap().passed(), 0);
}

#[test]
fn an_unknown_function_fails_and_says_so() {
    let text = r#"{"vectors": [{"name": "new", "function": "predict", "expect": {}}]}"#;
    let report = conformance::run(text).unwrap();
    let (_, failure) = report.failures().next().unwrap();
    assert!(failure.got.to_string().contains("unknown function"));
}

#[test]
fn broken_json_is_reported_with_its_line() {
    let error = conformance::run("{\n \"vectors\": [\n oops").unwrap_err();
    assert_eq!(error.line, 3);
}
