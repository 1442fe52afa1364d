//! `hysio conformance` as people run it.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scaling/tests/vectors");

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hysio"))
        .args(["conformance", "hpa"])
        .arg(folder)
        .args(arguments)
        .output()
        .expect("the program starts")
}

#[test]
fn all_vectors_pass_and_the_exit_code_says_so() {
    let output = run(Path::new(VECTORS), &[]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("replica_calculator.json    44 passed     0 failed"),
        "{text}"
    );
}

#[test]
fn a_difference_is_shown_and_the_exit_code_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let vector = r#"{"vectors": [{"name": "falsified", "function": "hpa_bounds", "expect": {"hpa_max": 7}}]}"#;
    fs::write(folder.path().join("a.json"), vector).unwrap();
    let output = run(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("falsified") && text.contains("\"hpa_max\":100"),
        "{text}"
    );
    let output = run(folder.path(), &["--json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report[0]["failed"], 1);
}

#[test]
fn a_missing_folder_and_broken_json_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = run(&folder.path().join("nowhere"), &[]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("nowhere"));
    fs::write(folder.path().join("broken.json"), "{\n oops").unwrap();
    let broken = run(folder.path(), &[]);
    assert!(String::from_utf8_lossy(&broken.stderr).contains("broken.json:2:"));
}
