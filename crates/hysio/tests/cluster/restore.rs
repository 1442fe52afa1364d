//! Back to a moment: base backup and archived log of a cluster's database.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    browser::Browser,
    cluster::{Cluster, text},
};

const BASE_PORT: u16 = 26_000;

const MORE: [&str; 4] = ["--no-prometheus", "--no-workers", "--apps", "1"];

/// What was added by a moment is there when the database is restored to it, what came later is not, and all goes on from there.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_goes_back_to_a_moment() {
    let cluster = tokio::task::block_in_place(|| {
        let cluster = Cluster::prepared().start(BASE_PORT, &MORE);
        let backup = first_backup(&cluster);
        assert!(
            backup["path"]
                .as_str()
                .is_some_and(|it| it.contains("pgbackrest")),
            "{backup}"
        );
        assert!(backup["bytes"].as_u64() > Some(100_000), "{backup}");
        cluster
    });
    let kept = cluster.folder().join("backups/hysio/keys/audit.key.sealed");
    assert!(kept.exists(), "the key that signs the trail is beside it");

    let browser = Browser::sign_in(&cluster, BASE_PORT).await;
    add_patients(&browser, 5).await;
    let before = browser.patients().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let moment = Timestamp::now();
    tokio::time::sleep(Duration::from_secs(2)).await;
    add_patients(&browser, 3).await;
    assert_eq!(browser.patients().await, before + 3);

    let cluster = tokio::task::block_in_place(|| go_back(cluster, &moment));
    let asked = browser.request("GET", "/api/session").send().await;
    let status = asked.expect("answered").status();
    assert_eq!(status, 401, "nobody is signed in");
    let browser = Browser::sign_in(&cluster, BASE_PORT).await;
    assert_eq!(browser.patients().await, before);
    add_patients(&browser, 1).await;
    tokio::task::block_in_place(|| {
        must_tell_of_it(&cluster);
        // Both replicas follow the restored one: a commit waits for one of them, and each can be missed.
        cluster.kill("db2");
        drop(cluster);
    });
}

async fn add_patients(browser: &Browser, count: usize) {
    for _ in 0..count {
        let status = browser.add_patient().await;
        assert!(status.is_some_and(|it| it.is_success()), "{status:?}");
    }
}

fn go_back(cluster: Cluster, moment: &Timestamp) -> Cluster {
    let refused = restore(&cluster, moment);
    assert!(
        text(&refused).contains("hysio cluster down"),
        "{}",
        text(&refused)
    );
    cluster.down();
    // Before there was a backup: nothing is changed.
    let long_ago = "2020-01-01T00:00:00Z".parse().expect("a moment");
    let refused = restore(&cluster, &long_ago);
    assert!(!refused.status.success(), "{}", text(&refused));
    assert!(
        text(&refused).contains("nothing was changed"),
        "{}",
        text(&refused)
    );
    let restored = restore(&cluster, moment);
    assert!(restored.status.success(), "{}", text(&restored));
    cluster.start(BASE_PORT, &MORE)
}

fn must_tell_of_it(cluster: &Cluster) {
    let audit = cluster
        .operator(&["audit", "verify"])
        .output()
        .expect("run");
    assert!(audit.status.success(), "{}", text(&audit));
    let trail = cluster
        .operator(&["audit", "export"])
        .output()
        .expect("run");
    assert!(String::from_utf8_lossy(&trail.stdout).contains("backup.restore"));
}

/// The one that the cluster makes by itself.
fn first_backup(cluster: &Cluster) -> Value {
    for _ in 0..240 {
        let listed = cluster
            .operator(&["backup", "list", "--json"])
            .output()
            .expect("run");
        assert!(listed.status.success(), "{}", text(&listed));
        let listed: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
        if let Some(backup) = listed["backups"].get(0) {
            return backup.clone();
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    panic!("no backup was made: {}", cluster.log("cluster"));
}

fn restore(cluster: &Cluster, moment: &Timestamp) -> std::process::Output {
    cluster
        .hysio(&["cluster", "restore", "--until", &moment.to_string()])
        .args(cluster.place())
        .output()
        .expect("run")
}
