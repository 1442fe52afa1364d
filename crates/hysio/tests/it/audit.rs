//! The trail: every change leaves an entry, and a changed entry is named.

use hysio_infra::{
    audit::{ExportCheck, Exporter, verify_export},
    embedded_postgres::Login,
    postgres::audit::{Item, read_trail},
};
use jiff::Timestamp;
use reqwest::StatusCode;
use serde_json::json;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn the_trail_of_a_signed_record_tells_the_whole_story_and_is_proven() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    let encounter = world.drafted(&anna).await;
    anna.post(
        &format!("/api/records/{}/sign", encounter["record"]["id"]),
        &json!({ "version": 1 }),
    )
    .await;
    world.sequence().await;
    let actions: Vec<String> = world
        .db
        .audit_page(None, 200)
        .await
        .expect("read")
        .into_iter()
        .rev()
        .map(|entry| entry.event.action)
        .collect();
    let mut story = [
        "session.open",
        "patient.create",
        "encounter.create",
        "recording.accept",
        "transcript.create",
        "record.draft",
        "record.sign",
    ]
    .into_iter();
    let mut next = story.next();
    for action in &actions {
        if Some(action.as_str()) == next {
            next = story.next();
        }
    }
    assert_eq!(next, None, "missing in {actions:?}");
    let report = world
        .db
        .verify_audit(world.keys.verifying())
        .await
        .expect("verified");
    assert!(report.is_proven(), "{:?}", report.findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_entry_is_named_and_so_is_one_that_was_dropped() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    world.encounter(&anna).await;
    world.sequence().await;
    let owner = world
        .database
        .connect(Login::Superuser)
        .await
        .expect("connected");
    owner
        .batch_execute("ALTER TABLE audit_entries DISABLE TRIGGER ALL")
        .await
        .expect("a superuser can");
    let changed = owner.query_one("UPDATE audit_entries SET actor = 'somebody else' WHERE action = 'patient.create' RETURNING leaf_index, id::text", &[]).await.expect("changed");
    let report = world
        .db
        .verify_audit(world.keys.verifying())
        .await
        .expect("verified");
    let findings: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    let (index, id): (i64, String) = (changed.get(0), changed.get(1));
    assert!(
        !report.is_proven()
            && findings
                .iter()
                .any(|finding| finding.contains(&id) && finding.contains(&index.to_string())),
        "{findings:?}"
    );

    owner
        .execute("DELETE FROM audit_entries WHERE leaf_index = $1", &[&index])
        .await
        .expect("dropped");
    let report = world
        .db
        .verify_audit(world.keys.verifying())
        .await
        .expect("verified");
    let findings: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    assert!(
        findings
            .iter()
            .any(|finding| finding.contains(&index.to_string())),
        "{findings:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_proven_without_the_database() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    world.encounter(&anna).await;
    world.sequence().await;
    let client = world
        .database
        .connect(Login::Application)
        .await
        .expect("connected");
    let mut exporter =
        Exporter::new(Vec::new(), world.keys.verifying(), Timestamp::now()).expect("begun");
    read_trail(&client, |item| {
        match item {
            Item::Entry(entry) => exporter.entry(&entry)?,
            Item::Checkpoint(checkpoint) => exporter.checkpoint(&checkpoint)?,
        }
        Ok::<_, anyhow::Error>(())
    })
    .await
    .expect("read");
    let export = exporter.finish().expect("written");
    let check = ExportCheck {
        keys: None,
        witness: None,
        waiting_bound: std::time::Duration::from_secs(60),
    };
    let report = verify_export(export.as_slice(), &check).expect("an export");
    assert!(report.is_proven(), "{:?}", report.findings);
    assert!(report.entries >= 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_sequencers_make_one_trail() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    let writing = async {
        for _ in 0..50 {
            assert_eq!(anna.get("/api/patients").await.status, StatusCode::OK);
        }
    };
    let sequencing = || async {
        for _ in 0..50 {
            world
                .db
                .sequence_audit(&world.keys)
                .await
                .expect("sequenced");
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(writing, sequencing(), sequencing(), sequencing());
    world.sequence().await;
    let report = world
        .db
        .verify_audit(world.keys.verifying())
        .await
        .expect("verified");
    assert!(
        report.is_proven() && report.entries >= 51 && report.waiting == 0,
        "{report:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_reads_and_proves_the_trail_and_that_is_in_it() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    world.encounter(&anna).await;
    world.sequence().await;
    let auditor = world.sign_in("auditor").await;
    let proof = auditor.get("/api/audit/verification").await;
    assert_eq!(proof.body["ok"], true, "{}", proof.text);
    let page = auditor.get("/api/audit").await;
    assert!(
        page.body["entries"]
            .as_array()
            .unwrap()
            .iter()
            .any(|entry| entry["action"] == "audit.verify"),
        "{}",
        page.text
    );
}
