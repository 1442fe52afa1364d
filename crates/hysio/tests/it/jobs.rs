//! Jobs: leased, retried, dead, put back; nothing lost, nothing twice.

use std::time::Duration;

use hysio_clinical::jobs::JobError;
use hysio_infra::{embedded_postgres::Login, postgres};
use hysio_model::QueueName;
use reqwest::StatusCode;
use serde_json::json;

use crate::world::{Codes, Says, WAV, World};

fn codes() -> Codes {
    Codes::one("R07.9", "Chest pain, unspecified")
}

/// Makes retries due now instead of after their backoff.
async fn hurry(world: &World) {
    let owner = world
        .database
        .connect(Login::Superuser)
        .await
        .expect("connected");
    owner
        .execute("UPDATE jobs SET run_at = now() WHERE state = 'ready'", &[])
        .await
        .expect("hurried");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_loses_no_recording_and_the_next_does_it_once() {
    let world = World::with(|config| config.worker.lease_seconds = 5).await;
    let anna = world.sign_in("anna@north").await;
    let (_, encounter) = world.encounter(&anna).await;
    let slow = Says::words("never said").taking(Duration::from_secs(3_600));
    let heard = slow.heard.clone();
    let first = world.worker(slow, codes()).await;
    anna.upload(&encounter, "k", WAV).await;
    while *heard.lock().unwrap() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    first.kill();
    let owner = world
        .database
        .connect(Login::Superuser)
        .await
        .expect("connected");
    owner
        .execute(
            "UPDATE jobs SET lease_expires_at = now() - interval '1 second' WHERE state = 'leased'",
            &[],
        )
        .await
        .expect("aged");
    assert_eq!(world.db.sweep_jobs().await.expect("swept"), 1);
    let second = world.worker(Says::words("said once"), codes()).await;
    let done = anna.wait_for(&encounter, "drafted").await;
    assert_eq!(done["transcript"]["segments"][0]["text"], "said once");
    let transcripts: i64 = owner
        .query_one("SELECT count(*) FROM transcripts", &[])
        .await
        .expect("counted")
        .get(0);
    assert_eq!(transcripts, 1);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_slow_cannot_write_what_another_has_taken_over() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    let (_, encounter) = world.encounter(&anna).await;
    anna.upload(&encounter, "k", WAV).await;
    let lease = Duration::from_secs(60);
    let slow = world
        .db
        .lease_jobs(&[QueueName::Transcription], 1, "slow", lease)
        .await
        .expect("leased")
        .remove(0);
    let owner = world
        .database
        .connect(Login::Superuser)
        .await
        .expect("connected");
    owner
        .execute(
            "UPDATE jobs SET lease_expires_at = now() - interval '1 second'",
            &[],
        )
        .await
        .expect("aged");
    world.db.sweep_jobs().await.expect("swept");
    let other = world.worker(Says::words("the other's"), codes()).await;
    anna.wait_for(&encounter, "drafted").await;
    let late = hysio_model::transcript::Transcript {
        language: hysio_model::transcript::Language::English,
        duration_seconds: 1.0,
        segments: vec![],
        model: "late".into(),
    };
    let recording = slow.subject.parse().expect("an id");
    let refused = world.db.commit_transcript(&slow, recording, &late).await;
    assert!(
        matches!(refused, Err(postgres::Error::LeaseLost)),
        "{refused:?}"
    );
    assert!(
        !world
            .db
            .renew_lease(&slow, lease, None)
            .await
            .expect("asked")
    );
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_tried_again_and_what_does_not_is_dead_until_somebody_puts_it_back() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    let (_, encounter) = world.encounter(&anna).await;
    let failing = Says::words("at last").failing_first(vec![
        JobError::retry("engine-unavailable", "the engine is away"),
        JobError::fail("engine-refused", "this cannot be heard"),
    ]);
    let worker = world.worker(failing, codes()).await;
    anna.upload(&encounter, "k", WAV).await;
    let failed = loop {
        hurry(&world).await;
        let now = anna.get(&format!("/api/encounters/{encounter}")).await.body;
        if now["state"] == "failed" {
            break now;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(
        failed["failure"],
        json!({ "code": "engine-refused", "message": "this cannot be heard" })
    );
    let operator = world.sign_in("operator").await;
    let dead = operator.get("/api/jobs?state=dead").await;
    assert_eq!(dead.body["jobs"][0]["attempt"], 2, "{}", dead.text);
    let job = dead.body["jobs"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        operator
            .post(&format!("/api/jobs/{job}/redrive"), &json!({}))
            .await
            .status,
        StatusCode::OK
    );
    let done = anna.wait_for(&encounter, "drafted").await;
    assert_eq!(done["transcript"]["segments"][0]["text"], "at last");
    assert_eq!(done["failure"], json!(null));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_leaves_finishes_what_it_holds() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    let (_, encounter) = world.encounter(&anna).await;
    let slow = Says::words("finished").taking(Duration::from_millis(500));
    let heard = slow.heard.clone();
    let worker = world.worker(slow, codes()).await;
    anna.upload(&encounter, "k", WAV).await;
    while *heard.lock().unwrap() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    worker.stop().await;
    let now = anna.get(&format!("/api/encounters/{encounter}")).await.body;
    assert_eq!(now["transcript"]["segments"][0]["text"], "finished");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_jobs_and_three_workers_do_each_once() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    let (patient, _) = world.encounter(&anna).await;
    let mut encounters = Vec::new();
    for n in 0..200 {
        let opened = anna
            .post("/api/encounters", &json!({ "patient_id": patient }))
            .await;
        let id = opened.body["id"].as_str().unwrap().to_owned();
        let accepted = anna.upload(&id, &format!("k{n}"), WAV).await;
        assert_eq!(accepted.status, StatusCode::ACCEPTED, "{}", accepted.text);
        encounters.push(id);
    }
    let says = Says::words("Pain.");
    let heard = says.heard.clone();
    let workers = [
        world.worker(says.clone(), codes()).await,
        world.worker(says.clone(), codes()).await,
        world.worker(says, codes()).await,
    ];
    for encounter in &encounters {
        anna.wait_for(encounter, "drafted").await;
    }
    assert_eq!(*heard.lock().unwrap(), 200);
    let owner = world
        .database
        .connect(Login::Superuser)
        .await
        .expect("connected");
    let records: i64 = owner
        .query_one("SELECT count(*) FROM patient_records", &[])
        .await
        .expect("counted")
        .get(0);
    assert_eq!(records, 200);
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_of_a_job_tells_its_stages_and_ends() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    let (_, encounter) = world.encounter(&anna).await;
    let accepted = anna.upload(&encounter, "k", WAV).await;
    let job = accepted.body["job"]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/jobs/{job}/events");
    let (events, worker) =
        tokio::join!(anna.get(&path), world.worker(Says::words("Pain."), codes()));
    assert!(
        events.headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/event-stream")
    );
    assert!(
        events.text.contains(r#""stage":"drafted""#)
            && events.text.trim_end().ends_with("event: done\ndata: {}"),
        "{}",
        events.text
    );
    worker.stop().await;
}
