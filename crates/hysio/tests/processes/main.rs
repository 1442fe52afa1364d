//! Everything on one machine, as `hysio up` runs it: real speech, real processes, and what is left of it all when they are
//! killed.

mod machine;
mod scaling;

use std::{process::Command, time::Duration};

use hysio_testkit::{SmallDisk, vendor_dir};
use machine::{BINARY, Machine, kill, speech};
use reqwest::StatusCode;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story, told in its order")]
async fn real_speech_becomes_a_signed_record_whatever_is_killed_meanwhile() {
    let machine = Machine::new();
    let mut hysio = machine.start().await;
    machine.sign_in().await;
    let audio = speech();
    let mut accepted = Vec::new();
    // In each stage of the work something else dies.
    for (number, victim) in [
        "hysio worker",
        "hysio app",
        "hysio transcription",
        "hysio diagnosecode",
        "data/postgres/cluster",
    ]
    .into_iter()
    .enumerate()
    {
        accepted.push(machine.accept(number, &audio).await);
        kill(machine.folder.path(), victim);
    }
    for encounter in &accepted {
        let done = machine.wait_for(encounter, "drafted").await;
        let text = done["record"]["subjective"]
            .as_str()
            .expect("a draft")
            .to_lowercase();
        assert!(
            text.contains("ask not what your country can do for you"),
            "{text}"
        );
    }
    let patients = machine
        .insist(|| machine.request("GET", "/api/patients"))
        .await;
    assert_eq!(
        patients["patients"].as_array().expect("patients").len(),
        accepted.len(),
        "nothing is missing, nothing there twice"
    );

    let encounter = machine.wait_for(&accepted[0], "drafted").await;
    let record = format!("/api/records/{}", encounter["record"]["id"]);
    let signed = machine
        .insist(|| {
            machine
                .request("POST", &format!("{record}/sign"))
                .json(&json!({ "version": encounter["record"]["version"] }))
        })
        .await;
    assert_eq!(signed["state"], "signed");

    let proof = machine.command(&["audit", "verify"]);
    assert!(
        proof.status.success(),
        "{}{}",
        String::from_utf8_lossy(&proof.stdout),
        String::from_utf8_lossy(&proof.stderr)
    );
    let ended = hysio
        .terminate(Duration::from_secs(60))
        .await
        .expect("ended in time");
    assert!(ended.success(), "{ended}: {}", hysio.output());
    let log = hysio.output();
    for planted in [
        "Secretname",
        "Planted",
        "country",
        "1960-01-31",
        &machine.password("clinician").1,
    ] {
        // The password is shown once, to the person who started Hysio, and in no log line.
        let lines = log
            .lines()
            .filter(|line| line.starts_with('{') && line.contains(planted))
            .count();
        assert_eq!(lines, 0, "{planted:?} is in the log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_killed_supervisor_nothing_is_left_and_the_next_start_goes_on() {
    let machine = Machine::new();
    let mut first = machine.start().await;
    machine.sign_in().await;
    let encounter = machine.accept(0, &speech()).await;
    first.kill().await.expect("killed");
    let mut second = machine.start().await;
    machine.sign_in().await;
    machine.wait_for(&encounter, "drafted").await;
    let taken = machine.command(&["up"]);
    let said = String::from_utf8_lossy(&taken.stderr).into_owned();
    assert!(
        !taken.status.success() && said.contains("cannot be listened on"),
        "{said}"
    );
    assert!(
        second
            .terminate(Duration::from_secs(60))
            .await
            .expect("ended")
            .success()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_finds_the_data_and_one_without_its_key_is_refused() {
    let machine = Machine::new();
    let mut first = machine.start().await;
    machine.sign_in().await;
    let patient = json!({ "given_name": "Eva", "family_name": "Blijver", "birth_date": "1960-01-31", "sex": "female" });
    machine
        .insist(|| machine.request("POST", "/api/patients").json(&patient))
        .await;
    assert!(
        first
            .interrupt(Duration::from_secs(60))
            .await
            .expect("ended")
            .success()
    );

    let mut second = machine.start().await;
    machine.sign_in().await;
    let found = machine
        .insist(|| machine.request("GET", "/api/patients?q=blijver"))
        .await;
    assert_eq!(found["patients"][0]["given_name"], "Eva");
    let rival = machine.command(&["up"]);
    assert!(!rival.status.success(), "two at once on one folder");
    assert!(
        second
            .terminate(Duration::from_secs(60))
            .await
            .expect("ended")
            .success()
    );

    let key = machine.folder.path().join("data/keys/master.key");
    std::fs::rename(&key, key.with_extension("away")).expect("moved");
    let refused = machine.command(&["up"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("master.key"),
        "{said}"
    );
    std::fs::write(&key, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n").expect("written");
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("closed");
    let refused = machine.command(&["up"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("master"),
        "{said}"
    );
}

/// Needs the right to mount; elsewhere it says that it was passed over.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_turns_recordings_away_and_with_room_again_all_goes_on() {
    let machine = Machine::new();
    let Some(disk) = SmallDisk::mount(&machine.folder.path().join("data"), 400) else {
        eprintln!("passed over: this user may not mount a small file system");
        return;
    };
    let mut hysio = machine.start().await;
    machine.sign_in().await;
    let audio = speech();
    let before = machine.accept(0, &audio).await;
    machine.wait_for(&before, "drafted").await;
    let waiting = machine.open(1).await;

    disk.fill();
    let refused = machine
        .upload(1, &waiting, &audio)
        .send()
        .await
        .expect("an answer");
    assert_eq!(refused.status(), StatusCode::INSUFFICIENT_STORAGE);
    let problem: Value = refused.json().await.expect("a problem");
    assert!(problem["detail"].is_string(), "{problem}");
    disk.clear();

    machine.insist(|| machine.upload(1, &waiting, &audio)).await;
    machine.wait_for(&waiting, "drafted").await;
    machine.wait_for(&before, "drafted").await;
    let proof = machine.command(&["audit", "verify"]);
    assert!(
        proof.status.success(),
        "{}",
        String::from_utf8_lossy(&proof.stderr)
    );
    let ended = hysio.terminate(Duration::from_secs(60)).await;
    assert!(ended.expect("ended").success(), "{}", hysio.output());
}

#[test]
fn what_was_installed_is_enough_to_measure_transcription() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("jfk.opus"), speech()).expect("written");
    let said = "And so, my fellow Americans, ask not what your country can do for you, ask what you can do for your country.";
    std::fs::write(folder.path().join("jfk.txt"), said).expect("written");
    let measured = Command::new(BINARY)
        .args(["evaluate", "transcription", "--json", "--model", "base"])
        .arg("--models")
        .arg(vendor_dir().join("speech"))
        .arg(folder.path())
        .output()
        .expect("run");
    assert!(
        measured.status.success(),
        "{}",
        String::from_utf8_lossy(&measured.stderr)
    );
    let report: Value = serde_json::from_slice(&measured.stdout).expect("JSON");
    assert!(report.to_string().contains("jfk"), "{report}");
}
