//! What kills nothing: a replica that hangs, clocks that differ, a cable that is out, a full disk.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use hysio_testkit::SmallDisk;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;

use crate::{
    browser::Browser,
    cluster::{Cluster, Load, pause, text},
};

const BASE_PORT: u16 = 25_000;
const SKEWED_APP: &str = "127.0.0.1:25019";
/// Of the primary, as the cluster lays its servers out.
const PRIMARY: &str = "127.0.1.1";
const WELL_WITHIN: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_missing_whatever_clocks_cables_and_disks_do() {
    let (cluster, disk) = tokio::task::block_in_place(|| {
        let cluster = Cluster::prepared();
        let disk = SmallDisk::mount(&cluster.folder().join("data/db1"), 500);
        let more = ["--no-prometheus", "--no-workers", "--no-backups"];
        (cluster.start(BASE_PORT, &more), disk)
    });
    let browser = Browser::sign_in(&cluster, BASE_PORT).await;
    let working = cluster.load_of(40, 105, "3");

    cluster.signal("db3", Signal::SIGSTOP);
    let paused = Instant::now();
    clocks_differ(&cluster, &browser).await;
    tokio::time::sleep(Duration::from_secs(60).saturating_sub(paused.elapsed())).await;
    cluster.signal("db3", Signal::SIGCONT);

    if let Some(cut) = Cut::of(PRIMARY) {
        pause(8);
        drop(cut);
        until_well(&browser).await;
    } else {
        eprintln!("passed over: this user may not cut an address off");
    }

    if let Some(disk) = &disk {
        disk.fill();
        until_refused(&browser).await;
        disk.clear();
        until_well(&browser).await;
    } else {
        eprintln!("passed over: this user may not mount a small file system");
    }

    tokio::task::block_in_place(|| {
        let figures = working.figures();
        let well = Load::availability(&figures);
        eprintln!("answered well through all of it: {well:.4}");
        let audit = cluster
            .operator(&["audit", "verify"])
            .output()
            .expect("run");
        assert!(audit.status.success(), "{}", text(&audit));
        drop(cluster);
    });
    drop(disk);
}

/// An app whose clock is 13 hours behind, more than a session lives, and the only worker's as much ahead. Whoever signs in
/// with one works with the others, and a dictation is drafted.
async fn clocks_differ(cluster: &Cluster, browser: &Browser) {
    let _app = Skewed::start(cluster, "app", "-13h");
    let _worker = Skewed::start(cluster, "worker", "+13h");
    let skewed = format!("http://{SKEWED_APP}");
    until_well(&browser.elsewhere(&skewed)).await;
    let there = Browser::sign_in_at(cluster, &skewed).await;
    let here = there.elsewhere(&format!("https://localhost:{BASE_PORT}"));
    here.send(here.request("GET", "/api/session")).await;

    let audio =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../speech/tests/media/two_seconds.opus");
    let audio = std::fs::read(audio).expect("audio");
    let encounter = browser.dictate(0, &audio).await;
    let arguments = [
        "load",
        "--url",
        &skewed,
        "--clinicians",
        "10",
        "--rates",
        "20",
        "--warm-up",
        "1",
        "--seconds",
        "10",
        "--prove",
        "--json",
    ];
    let load = cluster.operator(&arguments).stdout(Stdio::piped()).spawn();
    let figures = tokio::task::block_in_place(|| Load(load.expect("started")).figures());
    assert_eq!(figures["runs"][0]["errors"], json!({}), "{figures}");
    browser.drafted(&encounter).await;
}

/// A process of Hysio with a clock of its own.
struct Skewed(Child);

impl Skewed {
    fn start(cluster: &Cluster, role: &str, offset: &str) -> Self {
        let log = std::fs::File::create(cluster.folder().join(format!("log/skewed-{role}.log")));
        let child = cluster
            .hysio(&[role, "--config"])
            .arg(cluster.folder().join("hysio.yaml"))
            .env("HYSIO__HTTP__APP", SKEWED_APP)
            .env("LD_PRELOAD", faketime())
            .env("FAKETIME", offset)
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .stdout(Stdio::null())
            .stderr(log.expect("a log"))
            .spawn()
            .expect("started");
        Self(child)
    }
}

impl Drop for Skewed {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

/// The library that changes what a program hears of the time.
fn faketime() -> PathBuf {
    let libraries = std::fs::read_dir("/usr/lib").expect("libraries");
    libraries
        .filter_map(|folder| Some(folder.ok()?.path().join("faketime/libfaketimeMT.so.1")))
        .find(|library| library.exists())
        .expect("libfaketime: run ./hysio install tests")
}

/// An address that nothing reaches any more, without anybody being told.
struct Cut(String);

impl Cut {
    /// `None` where this user may not.
    fn of(address: &str) -> Option<Self> {
        let route = format!("{address}/32");
        let cut = Self::route("add", &route);
        cut.then_some(Self(route))
    }

    fn route(what: &str, route: &str) -> bool {
        let arguments = ["route", what, "blackhole", route, "table", "local"];
        let done = Command::new("ip").args(arguments).output();
        done.is_ok_and(|output| output.status.success())
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        Self::route("del", &self.0);
    }
}

/// A write is refused with an answer, and soon.
async fn until_refused(browser: &Browser) {
    let deadline = Instant::now() + WELL_WITHIN;
    loop {
        let answer = browser
            .add_patient()
            .await
            .expect("an answer, if not a good one");
        if answer.is_server_error() {
            return;
        }
        assert!(Instant::now() < deadline, "the disk is not full: {answer}");
    }
}

/// What is written and read works again.
async fn until_well(browser: &Browser) {
    let begun = Instant::now();
    loop {
        if browser
            .add_patient()
            .await
            .is_some_and(|answer| answer.is_success())
        {
            eprintln!("well after {:.1} s", begun.elapsed().as_secs_f64());
            return;
        }
        assert!(begun.elapsed() < WELL_WITHIN, "it does not get well");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}
