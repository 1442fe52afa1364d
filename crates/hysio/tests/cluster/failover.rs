//! A primary that hangs is replaced, and comes back.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::cluster::{Cluster, Load, pause, text};

#[test]
fn a_primary_that_hangs_is_cut_off_and_its_replica_has_all_that_was_acknowledged() {
    let cluster = Cluster::up(22_000);
    let working = cluster.load(42);
    pause(14);
    cluster.signal("db1", Signal::SIGSTOP);
    let said = failover(&cluster, &["--why", "the primary hangs"]);
    assert_ne!(said["primary"], "db1", "{said}");
    assert_eq!(said["cut_off"], json!(["db1"]), "{said}");
    let well = Load::availability(&working.figures());
    eprintln!("answered well through the failover: {well:.4}");

    // Back again, in order and under load: nobody notices.
    let working = cluster.load(26);
    pause(12);
    failover(&cluster, &["--planned", "--why", "back to where it was"]);
    let well = Load::availability(&working.figures());
    eprintln!("answered well through the switch-over: {well:.4}");
    assert!(well > 0.95, "{well}");
}

fn failover(cluster: &Cluster, how: &[&str]) -> Value {
    let output = cluster
        .operator(&["emergency", "failover", "--json"])
        .args(how)
        .output()
        .expect("run");
    assert!(
        output.status.success(),
        "{}\n{}",
        text(&output),
        cluster.log("cluster")
    );
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    eprintln!("writable after {} ms", said["writable_after_milliseconds"]);
    said
}
