//! Connections as a scaled resource, and an alert of real demand.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::cluster::{Cluster, pause, text};

#[tokio::test(flavor = "multi_thread")]
async fn connections_follow_a_transaction_and_an_alert_the_people() {
    let cluster = tokio::task::block_in_place(|| {
        let cluster = Cluster::up_with(23_000, &["--no-backups"]);
        the_pool_of_connections_is_scaled(&cluster);
        cluster
    });
    an_alert_fires_when_more_than_800_people_are_at_work(&cluster).await;
    tokio::task::block_in_place(|| drop(cluster));
}

/// An audited transaction, and no request fails.
fn the_pool_of_connections_is_scaled(cluster: &Cluster) {
    // The gates want to know of a backup.
    let now = jiff::Timestamp::now().to_string();
    let record = [
        "backup",
        "record",
        "--taken-at",
        &now,
        "--path",
        "elsewhere",
    ];
    let recorded = cluster.operator(&record).output().expect("run");
    assert!(recorded.status.success(), "{}", text(&recorded));
    let working = cluster.load(20);
    pause(10);
    let scale = [
        "scale",
        "db_connections",
        "40",
        "--why",
        "a test of the pool",
        "--wait",
    ];
    let scaled = cluster.operator(&scale).output().expect("run");
    assert!(
        scaled.status.success(),
        "{}\n{}",
        text(&scaled),
        cluster.log("scaler")
    );
    // The policies may have raised it again by now.
    assert!(text(&scaled).contains("40 ready"), "{}", text(&scaled));
    let figures = working.figures();
    assert_eq!(figures["runs"][0]["errors"], json!({}), "{figures}");
}

async fn an_alert_fires_when_more_than_800_people_are_at_work(cluster: &Cluster) {
    // The rules as they are, but for their patience.
    let rules = cluster.folder().join("etc/prometheus/scaling-alerts.yml");
    let text = std::fs::read_to_string(&rules).expect("rules");
    let hasty: Vec<_> = text
        .lines()
        .map(|line| match line.trim_start().starts_with("for: ") {
            true => line.split("for: ").next().unwrap_or_default().to_owned() + "for: 5s",
            false => line.to_owned(),
        })
        .collect();
    std::fs::write(&rules, hasty.join("\n")).expect("written");
    cluster.signal("prometheus", Signal::SIGHUP);
    let address = cluster.state()["services"]["prometheus"]["address"]
        .as_str()
        .expect("an address")
        .to_owned();
    let firing = async || -> Vec<String> {
        let answer = reqwest::get(format!("http://{address}/api/v1/alerts")).await;
        let alerts: Value = answer.expect("answered").json().await.expect("JSON");
        let alerts = alerts["data"]["alerts"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let firing = alerts.iter().filter(|alert| alert["state"] == "firing");
        firing
            .map(|alert| alert["labels"]["alertname"].to_string())
            .collect()
    };
    let wanted = "\"HighHealthcareSessionLoad\"".to_owned();
    assert!(!firing().await.contains(&wanted));
    // However long it takes them all to sign in: it fires while they work.
    let mut working = cluster.load_of(850, 90, "1");
    let mut fired = false;
    while !fired && working.goes_on() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        fired = firing().await.contains(&wanted);
    }
    let figures = tokio::task::block_in_place(|| working.figures());
    assert!(fired, "it never fired while they worked: {figures}");
}
