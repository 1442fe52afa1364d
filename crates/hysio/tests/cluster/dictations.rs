//! The whole pipeline through the whole cluster.

use std::path::Path;

use crate::{browser::Browser, cluster::Cluster};

#[tokio::test(flavor = "multi_thread")]
async fn dictations_become_drafts_through_the_whole_cluster_while_redis_loses_everything() {
    let base_port = 20_000;
    let cluster = tokio::task::block_in_place(|| Cluster::up(base_port));
    let browser = Browser::sign_in(&cluster, base_port).await;
    let audio =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../speech/tests/media/two_seconds.opus");
    let audio = std::fs::read(audio).expect("audio");
    let mut encounters = Vec::new();
    for number in 0..3 {
        encounters.push(browser.dictate(number, &audio).await);
        cluster.empty_redis();
    }
    for encounter in &encounters {
        browser.drafted(encounter).await;
    }
    // Read again from the cache, and the same.
    let path = format!("/api/encounters/{}", encounters[0]);
    let once = browser.send(browser.request("GET", &path)).await;
    let again = browser.send(browser.request("GET", &path)).await;
    assert_eq!(once["transcript"], again["transcript"]);
    assert_eq!(once["suggestions"], again["suggestions"]);
    let trail = cluster
        .operator(&["audit", "export"])
        .output()
        .expect("run");
    let trail = String::from_utf8_lossy(&trail.stdout).into_owned();
    assert!(
        trail.contains("cache.get") && trail.contains("cache.set"),
        "the cache is in the trail"
    );
    tokio::task::block_in_place(|| drop(cluster));
}
