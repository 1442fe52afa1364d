//! The files of `deploy/` that no server of a cluster reads.

use std::{path::PathBuf, process::Command};

use hysio_scaling::metrics::ALL;

fn deploy() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy")
}

#[test]
fn dashboards_ask_for_metrics_that_hysio_exports() {
    for name in ["care.json", "scaling.json"] {
        let text =
            std::fs::read_to_string(deploy().join("grafana").join(name)).expect("it is there");
        let board: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let panels = board["panels"].as_array().expect("panels");
        let mut asked = 0;
        for target in panels
            .iter()
            .flat_map(|panel| panel["targets"].as_array().expect("targets"))
        {
            let query = target["expr"].as_str().expect("a query");
            for metric in query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
                if !metric.starts_with("hysio_") {
                    continue;
                }
                asked += 1;
                let known = ALL.iter().any(|family| {
                    ["", "_bucket", "_count", "_sum"]
                        .iter()
                        .any(|end| metric == format!("{family}{end}"))
                });
                assert!(known, "{name} asks for {metric}, which nobody exports");
            }
        }
        assert!(asked > 5, "{name} asks for {asked} metrics");
    }
}

#[test]
fn prometheus_takes_its_configuration_and_the_rules_pass_their_tests() {
    let folder = deploy().join("prometheus");
    for arguments in [
        ["check", "config", "prometheus.yml"],
        ["test", "rules", "tests/rules_test.yml"],
    ] {
        let output = Command::new("promtool")
            .args(arguments)
            .current_dir(&folder)
            .output()
            .expect("promtool is of Debian's package prometheus");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
}

#[test]
fn sizes_grow_with_the_machine_and_never_promise_more_memory_than_there_is() {
    for memory in [256_u64, 1_024, 24_000, 262_144] {
        let output = Command::new("sh")
            .arg(deploy().join("postgres/size.sh"))
            .args([memory.to_string(), "4".to_owned()])
            .output()
            .expect("run");
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).expect("text");
        let value = |key: &str| -> u64 {
            let line = text
                .lines()
                .find(|line| line.starts_with(key))
                .expect("a setting");
            let number = line
                .rsplit(' ')
                .next()
                .expect("a value")
                .trim_end_matches("MB");
            number.parse().expect("a number")
        };
        let connections = value("max_connections");
        // Half for the servers' own, and a sort for each connection.
        assert!(
            value("shared_buffers") + value("work_mem") * connections <= memory + 200,
            "{text}"
        );
    }
    let refused = Command::new("sh")
        .arg(deploy().join("postgres/size.sh"))
        .arg("some")
        .output()
        .expect("run");
    assert!(!refused.status.success());
}
