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
    let why = [
        "emergency",
        "failover",
        "--json",
        "--why",
        "the primary hangs",
    ];
    let failover = cluster.operator(&why).output().expect("run");
    assert!(
        failover.status.success(),
        "{}\n{}",
        text(&failover),
        cluster.log("cluster")
    );
    let said: Value = serde_json::from_slice(&failover.stdout).expect("JSON");
    assert_ne!(said["primary"], "db1", "{said}");
    assert_eq!(said["cut_off"], json!(["db1"]), "{said}");
    eprintln!("writable after {} ms", said["writable_after_milliseconds"]);
    let figures = working.figures();
    eprintln!(
        "answered well through the failover: {:.4}",
        Load::availability(&figures)
    );

    // Back again, in order and under load: nobody notices.
    let working = cluster.load(26);
    pause(12);
    let why = [
        "emergency",
        "failover",
        "--planned",
        "--json",
        "--why",
        "back to where it was",
    ];
    let failover = cluster.operator(&why).output().expect("run");
    assert!(
        failover.status.success(),
        "{}\n{}",
        text(&failover),
        cluster.log("cluster")
    );
    let figures = working.figures();
    eprintln!(
        "answered well through the switch-over: {:.4}",
        Load::availability(&figures)
    );
    assert!(Load::availability(&figures) > 0.95, "{figures}");
}
