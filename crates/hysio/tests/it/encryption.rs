//! What lies in the database and on the disk, and what becomes of it when somebody moves it.

use hysio_infra::{
    cipher::MasterKeys,
    embedded_postgres::Login,
    postgres::{Vault, accounts, migrate},
};
use reqwest::StatusCode;
use serde_json::json;

use crate::world::{World, master};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_about_a_patient_lies_in_the_clear() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    let added = anna.post("/api/patients", &json!({ "given_name": "Wilhelmina", "family_name": "Zonneveld", "birth_date": "1931-08-31", "sex": "female", "mrn": "MRN-77123" })).await;
    assert_eq!(added.status, StatusCode::CREATED);
    world.drafted(&anna).await;
    let owner = world
        .database
        .connect(Login::Superuser)
        .await
        .expect("connected");
    let tables = owner
        .query(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
            &[],
        )
        .await
        .expect("listed");
    for table in tables {
        let table: String = table.get(0);
        let rows = owner
            .query(&format!("SELECT t::text FROM {table} t"), &[])
            .await
            .expect("read");
        for row in rows {
            let text: String = row.get(0);
            for word in [
                "Wilhelmina",
                "Zonneveld",
                "1931-08-31",
                "MRN-77123",
                "Chest pain",
                "Jansen",
                "R07.9",
            ] {
                assert!(!text.contains(word), "{word} lies in {table} in the clear");
                assert!(
                    !text.contains(&hex::encode(word)),
                    "{word} lies in {table} in hexadecimal"
                );
            }
        }
    }
    for file in walk(&world.folder.path().join("recordings")) {
        let bytes = std::fs::read(&file).expect("read");
        assert!(
            !bytes.windows(4).any(|four| four == b"WAVE"),
            "{} is audio in the clear",
            file.display()
        );
    }
}

fn walk(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(walk(&path));
        } else {
            files.push(path);
        }
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ciphertext_that_was_moved_to_another_row_is_refused() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    for name in ["Eva", "Ria"] {
        anna.post("/api/patients", &json!({ "given_name": name, "family_name": "X", "birth_date": "1990-01-01", "sex": "female" })).await;
    }
    let patients = anna.get("/api/patients").await;
    let id = patients.body["patients"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let owner = world
        .database
        .connect(Login::Superuser)
        .await
        .expect("connected");
    let moved = "UPDATE patients p SET demographics = (SELECT demographics FROM patients o WHERE o.id <> p.id LIMIT 1) WHERE p.id::text = $1";
    assert_eq!(owner.execute(moved, &[&id]).await.expect("moved"), 1);
    let refused = anna.get(&format!("/api/patients/{id}")).await;
    assert_eq!(refused.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(
        !refused.text.contains("Eva") && !refused.text.contains("Ria"),
        "{}",
        refused.text
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_version_cannot_stand_in_for_the_newest() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    let encounter = world.drafted(&anna).await;
    let record = format!("/api/records/{}", encounter["record"]["id"]);
    anna.put(&record, &json!({ "version": 1, "subjective": "new", "objective": "", "assessment": "", "plan": "" })).await;
    let owner = world
        .database
        .connect(Login::Superuser)
        .await
        .expect("connected");
    let back = "UPDATE patient_records SET medical_record = (SELECT medical_record FROM patient_record_versions WHERE version = 1)";
    owner.execute(back, &[]).await.expect("put back");
    assert_eq!(
        anna.get(&record).await.status,
        StatusCode::INTERNAL_SERVER_ERROR
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_or_missing_master_key_is_told_at_start() {
    let world = World::new().await;
    let client = migrate::connect(&world.database.config(Login::Application))
        .await
        .expect("connected");
    let folder = tempfile::tempdir().expect("a folder");
    let other = MasterKeys::generate_file(&folder.path().join("other.key")).expect("made");
    let refused = Vault::open(other, &client)
        .await
        .err()
        .expect("refused")
        .to_string();
    let cause = format!("{refused:?}");
    assert!(cause.contains("keys"), "{cause}");
    let missing = MasterKeys::load(&folder.path().join("missing.key"))
        .expect_err("refused")
        .to_string();
    assert!(missing.contains("missing.key"), "{missing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rotation_old_data_opens_and_new_data_has_the_new_key() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    let (patient, _) = world.encounter(&anna).await;
    let owner = migrate::connect(&world.database.config(Login::Owner))
        .await
        .expect("connected");
    let version = accounts::rotate_data_key(&owner, &master(world.folder.path()), world.facility)
        .await
        .expect("rotated");
    assert_eq!(version, 2);
    world.db.vault().forget(world.facility);
    assert_eq!(
        anna.get(&format!("/api/patients/{patient}")).await.body["given_name"],
        "Jan"
    );
    let (second, _) = world.encounter(&anna).await;
    assert_eq!(
        anna.get(&format!("/api/patients/{second}")).await.body["given_name"],
        "Jan"
    );
}
