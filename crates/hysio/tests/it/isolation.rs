//! Row-level security, by trying to get around it with the services' own role.

use hysio_infra::embedded_postgres::Login;
use hysio_infra::postgres::patients;
use hysio_model::id::FacilityId;

use crate::world::World;

const TABLES: [&str; 17] = [
    "patients",
    "encounters",
    "recordings",
    "transcripts",
    "suggestions",
    "lessons",
    "learning_settings",
    "shared_lessons",
    "patient_records",
    "patient_records_part_0",
    "patient_records_part_1",
    "patient_records_part_2",
    "patient_records_part_3",
    "patient_record_versions",
    "reports",
    "jobs",
    "users",
];

#[tokio::test(flavor = "multi_thread")]
async fn without_a_facility_nothing_is_seen_and_with_one_nothing_of_another() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    world.drafted(&anna).await;
    let app = world
        .database
        .connect(Login::Application)
        .await
        .expect("connected");
    for facility in ["", &world.other_facility.to_string(), "999"] {
        app.execute(
            "SELECT set_config('hysio.facility_id', $1, false)",
            &[&facility],
        )
        .await
        .expect("set");
        for table in TABLES {
            let sql = format!(
                "SELECT count(*) FROM {table} WHERE facility_id = {}",
                world.facility
            );
            let rows: i64 = app.query_one(&sql, &[]).await.expect("counted").get(0);
            assert_eq!(rows, 0, "{table} as facility {facility:?}");
        }
    }
    let mine = world.facility.to_string();
    app.execute(
        "SELECT set_config('hysio.facility_id', $1, false)",
        &[&mine],
    )
    .await
    .expect("set");
    let rows: i64 = app
        .query_one("SELECT count(*) FROM patients", &[])
        .await
        .expect("counted")
        .get(0);
    assert_eq!(rows, 1, "the own facility is seen");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_services_role_cannot_write_elsewhere_nor_lift_the_wall() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    world.drafted(&anna).await;
    let app = world
        .database
        .connect(Login::Application)
        .await
        .expect("connected");
    let (mine, other) = (world.facility, world.other_facility);
    app.batch_execute(&format!(
        "SELECT set_config('hysio.facility_id', '{mine}', false)"
    ))
    .await
    .expect("set");
    for statement in [
        format!("UPDATE patient_records SET facility_id = {other}"),
        format!(
            "INSERT INTO encounters (facility_id, id, patient_id, clinician_id) SELECT {other}, gen_random_uuid(), patient_id, clinician_id FROM encounters"
        ),
        "ALTER TABLE patients DISABLE ROW LEVEL SECURITY".into(),
        "DROP POLICY patients_of_facility ON patients".into(),
        "SET ROLE hysio_owner".into(),
        "SET row_security = off; SELECT * FROM patients".into(),
        "CREATE TABLE elsewhere (x int)".into(),
        "TRUNCATE patient_records".into(),
        "DELETE FROM patient_records".into(),
        "UPDATE patient_record_versions SET version = 9".into(),
        "DELETE FROM audit_entries".into(),
        "UPDATE audit_entries SET actor = 'nobody'".into(),
        "INSERT INTO encryption_keys VALUES ('data', 1, 9, 'x', 'x')".into(),
        "COPY patients TO PROGRAM 'cat'".into(),
    ] {
        let done = app.batch_execute(&statement).await;
        assert!(done.is_err(), "was allowed: {statement}");
        app.batch_execute("RESET row_security")
            .await
            .expect("reset");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooled_connection_forgets_the_facility_it_acted_for() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    world.encounter(&anna).await;
    for _ in 0..20 {
        let tx = world.db.tx(world.facility).await.expect("a transaction");
        let own = patients::list(&tx, None, hysio_infra::postgres::page::Cursor::START, 10)
            .await
            .expect("listed");
        assert_eq!(own.items.len(), 1);
        tx.commit(&[]).await.expect("committed");
        let left: Option<i32> = world
            .db
            .client()
            .await
            .expect("a client")
            .query_one("SELECT current_facility()", &[])
            .await
            .expect("asked")
            .get(0);
        assert_eq!(left, None);
        let tx = world
            .db
            .tx(world.other_facility)
            .await
            .expect("a transaction");
        let others = patients::list(&tx, None, hysio_infra::postgres::page::Cursor::START, 10)
            .await
            .expect("listed");
        assert!(others.items.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_lie_in_the_partition_of_their_facility() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    world.drafted(&anna).await;
    let owner = world
        .database
        .connect(Login::Superuser)
        .await
        .expect("connected");
    let rows = owner
        .query(
            "SELECT tableoid::regclass::text, facility_id FROM patient_records",
            &[],
        )
        .await
        .expect("read");
    assert_eq!(rows.len(), 1);
    assert!(
        rows[0]
            .get::<_, &str>(0)
            .starts_with("patient_records_part_")
    );
    assert_eq!(FacilityId(rows[0].get(1)), world.facility);
    let indexed: i64 = owner
        .query_one("SELECT count(*) FROM pg_indexes WHERE tablename LIKE 'patient\\_records\\_part\\_%' AND indexdef LIKE '%(facility_id, patient_id)%'", &[])
        .await
        .expect("counted")
        .get(0);
    assert_eq!(indexed, 4);
}
