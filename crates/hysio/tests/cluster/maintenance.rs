//! What an operator does while everybody works: an upgrade with its migrations, and a division of the records' partitions.

use std::path::Path;

use serde_json::{Value, json};

use crate::cluster::{Cluster, HYSIO, pause, text};

#[test]
fn an_upgrade_and_a_division_of_partitions_fail_no_request() {
    let cluster = Cluster::prepared()
        .with_its_own_program()
        .start(24_000, &["--no-prometheus", "--no-backups"]);
    let working = cluster.load(85);
    pause(12);
    upgrade(&cluster);
    divide(&cluster);
    let figures = working.figures();
    assert_eq!(
        figures["runs"][0]["errors"],
        json!({}),
        "no request failed: {figures}"
    );
    let audit = run(&cluster, &["audit", "verify"]);
    assert!(audit.contains("entries"), "{audit}");
}

/// Expand, replace every process, contract.
fn upgrade(cluster: &Cluster) {
    let next = Path::new(HYSIO).with_file_name("examples/next_version");
    cluster.upgrade_to(&next);
    let expanded = run(cluster, &["migrate", "--wait", "0"]);
    assert!(expanded.contains("applied V1001__reviews"), "{expanded}");
    let held_up = "V1002__contract_reviews waits until an earlier version is gone";
    assert!(expanded.contains(held_up), "{expanded}");
    for service in ["app (", "worker (", "scaler ("] {
        assert!(expanded.contains(service), "{service} is named: {expanded}");
    }
    let restarted = cluster
        .hysio(&["cluster", "restart", "--all"])
        .args(cluster.place())
        .output()
        .expect("run");
    assert!(restarted.status.success(), "{}", text(&restarted));
    eprintln!("{}", text(&restarted));
    let contracted = run(cluster, &["migrate"]);
    assert!(
        contracted.contains("applied V1002__contract_reviews"),
        "{contracted}"
    );

    // Who was built before is told why he does not start.
    let earlier = std::process::Command::new(HYSIO)
        .arg("doctor")
        .env("HYSIO_CONFIG", cluster.folder().join("operator.yaml"))
        .output()
        .expect("run");
    assert!(!earlier.status.success());
    let why = text(&earlier);
    assert!(why.contains("run a newer hysio"), "{why}");
}

/// Facilities come, and the fullest partition that holds several becomes two.
fn divide(cluster: &Cluster) {
    let fullest = loop {
        run(cluster, &["facility", "add", "One more"]);
        let several = partitions(cluster)
            .into_iter()
            .filter(|it| it["facilities"].as_i64() > Some(1) && it["rows"].as_i64() > Some(0))
            .max_by_key(|it| it["rows"].as_i64());
        if let Some(fullest) = several {
            break fullest;
        }
    };
    let before = partitions(cluster);
    let name = fullest["name"].as_str().expect("a name");
    let said = run(cluster, &["partition", "divide", name, "--json"]);
    let said: Value = serde_json::from_str(&said).expect("JSON");
    eprintln!("{said}");
    let division = &said["divisions"][0];
    assert!(division["rows"].as_i64() > Some(0), "{said}");
    let after = partitions(cluster);
    assert_eq!(after.len(), before.len() + 1);
    let parts: Vec<_> = after
        .iter()
        .filter(|it| {
            division["into"]
                .as_array()
                .expect("two")
                .contains(&it["name"])
        })
        .collect();
    assert_eq!(parts.len(), 2, "{after:?}");
    let facilities: i64 = parts
        .iter()
        .filter_map(|it| it["facilities"].as_i64())
        .sum();
    assert_eq!(Some(facilities), fullest["facilities"].as_i64());
}

fn partitions(cluster: &Cluster) -> Vec<Value> {
    let listed = run(cluster, &["partition", "list", "--json"]);
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    listed["partitions"].as_array().expect("a list").clone()
}

fn run(cluster: &Cluster, arguments: &[&str]) -> String {
    let output = cluster.operator(arguments).output().expect("run");
    assert!(output.status.success(), "{arguments:?}: {}", text(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
