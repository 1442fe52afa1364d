//! A server that outlived the Hysio that started it, because that was killed. It is stopped before a new one starts, so
//! that the new one runs under a parent that watches it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::{Instant, sleep};

use super::error::Error;

/// How long an orphan gets for an orderly stop, and then for an immediate one.
const PATIENCE: [(Signal, Duration); 2] = [
    (Signal::SIGINT, Duration::from_secs(20)),
    (Signal::SIGQUIT, Duration::from_secs(5)),
];
const POLL: Duration = Duration::from_millis(20);

/// Stops whatever still runs on the cluster, and removes the note of a server that is gone. The caller holds the lock on the
/// data directory, so nobody else's server is meant.
pub(super) async fn clear(cluster: &Path) -> Result<(), Error> {
    for (signal, patience) in PATIENCE {
        let Some(server) = leader(cluster) else { break };
        tracing::warn!(process = server.as_raw(), %signal, "stopping a database that an earlier Hysio left behind");
        // It may have ended since: then there is nobody to tell.
        let _ = kill(server, signal);
        if none_left(cluster, patience).await {
            break;
        }
    }
    if let Some(process) = leader(cluster) {
        return Err(Error::Orphan {
            process: process.as_raw(),
            cluster: cluster.to_owned(),
        });
    }
    remove_note(cluster)
}

/// The postmaster if it lives, else any process that it left (those end by themselves within moments).
fn leader(cluster: &Path) -> Option<Pid> {
    let processes = processes_on(cluster);
    let postmaster = noted_process(cluster).filter(|noted| processes.contains(noted));
    postmaster.or_else(|| processes.first().copied())
}

async fn none_left(cluster: &Path, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        if processes_on(cluster).is_empty() {
            return true;
        }
        sleep(POLL).await;
    }
    false
}

/// Every process of a server works in its cluster's directory: that can't be mistaken, unlike a process number.
fn processes_on(cluster: &Path) -> Vec<Pid> {
    let Ok(all) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    all.flatten()
        .filter(|entry| {
            fs::read_link(entry.path().join("cwd")).is_ok_and(|directory| directory == cluster)
        })
        .filter(|entry| {
            fs::read_link(entry.path().join("exe"))
                .is_ok_and(|program| program.ends_with("postgres"))
        })
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .map(Pid::from_raw)
        .collect()
}

fn noted_process(cluster: &Path) -> Option<Pid> {
    let note = fs::read_to_string(cluster.join("postmaster.pid")).ok()?;
    note.lines().next()?.trim().parse().ok().map(Pid::from_raw)
}

/// The note of a dead server stops the next one when its process number has come to belong to somebody else.
fn remove_note(cluster: &Path) -> Result<(), Error> {
    let note = cluster.join("postmaster.pid");
    match fs::remove_file(&note) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove", &note, source))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
