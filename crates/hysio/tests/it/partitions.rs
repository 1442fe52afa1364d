//! A partition of the records is divided while people write to it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use hysio_infra::{
    embedded_postgres::Login,
    postgres::{
        accounts, migrate,
        partitions::{self, Partition},
    },
};
use tokio::task::JoinHandle;
use tokio_postgres::Client;

use crate::world::{World, master};

const RECORDS: i64 = 4_000;

/// A world with enough facilities, and a partition that holds several of them, filled.
async fn filled() -> (World, Client, Partition, Vec<i32>) {
    let world = World::new().await;
    let mut owner = world.database.connect(Login::Owner).await.expect("owner");
    let keys = master(world.folder.path());
    for number in 0..8 {
        accounts::add_facility(&mut owner, &keys, &format!("Practice {number}"))
            .await
            .expect("added");
    }
    let all = partitions::list(&owner).await.expect("listed");
    assert_eq!(all.len(), 4);
    let fullest = all
        .iter()
        .max_by_key(|it| it.facilities)
        .expect("one")
        .clone();
    let rows = owner
        .query(
            "SELECT id FROM facilities WHERE satisfies_hash_partition('patient_records'::regclass, $1, $2, id)",
            &[&fullest.modulus, &fullest.remainder],
        )
        .await
        .expect("facilities");
    let facilities: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
    owner
        .execute(
            "INSERT INTO patient_records (facility_id, patient_id, medical_record, encounter_id, version)
             SELECT ($1::integer[])[1 + n % cardinality($1::integer[])], 'p' || n, '{}', gen_random_uuid(), 1 FROM generate_series(1, $2::bigint) n",
            &[&facilities, &RECORDS],
        )
        .await
        .expect("filled");
    (world, owner, fullest, facilities)
}

/// Somebody who changes and adds records of a facility, with the services' role, until told to stop.
async fn writer(
    world: &World,
    facility: i32,
    stop: Arc<AtomicBool>,
    written: Arc<AtomicI64>,
) -> JoinHandle<()> {
    let app = world
        .database
        .connect(Login::Application)
        .await
        .expect("app");
    let change = format!(
        "BEGIN; SET LOCAL hysio.facility_id = '{facility}';
         UPDATE patient_records SET version = version + 1 WHERE id = (SELECT id FROM patient_records ORDER BY random() LIMIT 1);
         INSERT INTO patient_records (facility_id, patient_id, encounter_id, version) VALUES ({facility}, 'new', gen_random_uuid(), 1);
         COMMIT"
    );
    tokio::spawn(async move {
        while !stop.load(Ordering::Relaxed) {
            app.batch_execute(&change).await.expect("written");
            written.fetch_add(1, Ordering::Relaxed);
        }
    })
}

/// How many records there are, and the sum of their versions.
async fn counted(owner: &Client) -> (i64, i64) {
    let sql = "SELECT count(*), sum(version)::bigint FROM patient_records";
    let row = owner.query_one(sql, &[]).await.expect("counted");
    (row.get(0), row.get(1))
}

#[tokio::test(flavor = "multi_thread")]
async fn records_stay_whole_while_their_partition_is_divided() {
    let (world, mut owner, fullest, facilities) = filled().await;
    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::default());
    let mut writers = Vec::new();
    for facility in &facilities {
        writers.push(writer(&world, *facility, stop.clone(), Arc::clone(&written)).await);
    }
    let seen = AtomicI64::new(0);
    let division = partitions::divide(&mut owner, &fullest, &|copied| {
        seen.store(copied, Ordering::Relaxed);
    })
    .await
    .expect("divided");
    tokio::time::sleep(Duration::from_millis(100)).await;
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.expect("every write succeeded");
    }
    let written = written.load(Ordering::Relaxed);
    assert!(written > 20, "there was something to mirror: {written}");
    assert!(seen.load(Ordering::Relaxed) >= RECORDS);
    assert!(division.rows >= RECORDS, "{division:?}");
    assert!(division.held < Duration::from_secs(1), "{division:?}");
    // Each write adds a version and a record.
    assert_eq!(
        counted(&owner).await,
        (RECORDS + written, RECORDS + 2 * written)
    );

    let after = partitions::list(&owner).await.expect("listed");
    assert_eq!(after.len(), 5);
    let names: Vec<_> = after.iter().map(|it| it.name.as_str()).collect();
    assert!(!names.contains(&fullest.name.as_str()), "{names:?}");
    for part in &division.into {
        assert!(names.contains(&part.as_str()), "{names:?}");
        let app = world
            .database
            .connect(Login::Application)
            .await
            .expect("app");
        let hidden = format!("SELECT count(*) FROM {part}");
        let rows: i64 = app.query_one(&hidden, &[]).await.expect("counted").get(0);
        assert_eq!(rows, 0, "without a facility nothing is seen in {part}");
    }
    let noted =
        "SELECT count(*) FROM audit_entries WHERE action = 'partition.divide' AND resource_id = $1";
    let noted: i64 = owner
        .query_one(noted, &[&fullest.name])
        .await
        .expect("counted")
        .get(0);
    assert_eq!(noted, 1);
    // A part can be divided again.
    let part = after
        .iter()
        .find(|it| it.name == division.into[0])
        .expect("there");
    partitions::divide(&mut owner, part, &|_| {})
        .await
        .expect("divided");
    assert_eq!(
        counted(&owner).await,
        (RECORDS + written, RECORDS + 2 * written)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_division_that_was_broken_off_disturbs_nobody_and_can_be_made_again() {
    let (world, mut owner, fullest, facilities) = filled().await;
    let mut other = world.database.connect(Login::Owner).await.expect("owner");
    let begun = tokio::sync::Notify::new();
    let tell = |_| begun.notify_one();
    tokio::select! {
        _ = partitions::divide(&mut other, &fullest, &tell) => panic!("it was not broken off"),
        () = begun.notified() => {}
    }
    drop(other);
    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::default());
    let writer = writer(&world, facilities[0], stop.clone(), Arc::clone(&written)).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    stop.store(true, Ordering::Relaxed);
    writer.await.expect("writes go on");
    let before = counted(&owner).await;
    partitions::divide(&mut owner, &fullest, &|_| {})
        .await
        .expect("divided");
    assert_eq!(counted(&owner).await, before);
}

/// What an earlier version uses is not taken away while a process of it is at work.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_taken_away_from_a_process_of_an_earlier_version() {
    let world = World::new().await;
    let owner = world.database.connect(Login::Owner).await.expect("owner");
    let next = migrate::version() + 1;
    let contract = format!("SELECT contract({next})");
    let at_work = "INSERT INTO instances (id, service, host, pid, latency_buckets, schema_version) VALUES (gen_random_uuid(), 'app', 'here', 7, '{}', $1)";
    owner
        .execute(at_work, &[&migrate::version()])
        .await
        .expect("noted");
    let refused = owner.batch_execute(&contract).await.expect_err("refused");
    let said = refused
        .as_db_error()
        .expect("by the server")
        .message()
        .to_owned();
    assert!(said.contains("app (here, process 7)"), "{said}");
    assert!(world.db.self_check().await.passed());

    owner
        .execute(
            "UPDATE instances SET seen_at = now() - interval '31 seconds'",
            &[],
        )
        .await
        .expect("silent");
    owner
        .batch_execute(&contract)
        .await
        .expect("nobody is left");
    // One that only hung finds out.
    let check = world.db.self_check().await;
    assert!(!check.passed());
    assert!(
        check
            .trouble
            .is_some_and(|why| why.contains("run a newer hysio"))
    );
    let client = migrate::connect(&world.database.config(Login::Application))
        .await
        .expect("app");
    let refused = migrate::check_version(&client).await.expect_err("refused");
    assert!(
        refused.to_string().contains("run a newer hysio"),
        "{refused}"
    );
}
