//! Databases for tests, against the real server.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;
use hysio_infra::embedded_postgres::Login;
use hysio_testkit::TestDatabase;
use tokio_postgres::{Config, NoTls};

static MIGRATIONS: AtomicU32 = AtomicU32::new(0);

#[tokio::test]
async fn each_test_has_the_schema_and_none_of_the_others_rows() {
    let (one, two) = tokio::join!(TestDatabase::new(migrate), TestDatabase::new(migrate));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(MIGRATIONS.load(Ordering::SeqCst), 1);

    let writer = one.connect(Login::Owner).await.unwrap();
    writer
        .batch_execute("INSERT INTO note VALUES ('only here')")
        .await
        .unwrap();
    assert_eq!(count(&one).await, 1);
    assert_eq!(count(&two).await, 0);
}

#[tokio::test]
async fn a_dropped_database_is_gone_and_its_string_led_to_it() {
    let database = TestDatabase::new(migrate).await.unwrap();
    let config: Config = database
        .connection_string(Login::Application)
        .parse()
        .unwrap();
    let (client, connection) = config.connect(NoTls).await.unwrap();
    let serving = tokio::spawn(connection);
    let row = client
        .query_one("SELECT current_database(), current_user", &[])
        .await
        .unwrap();
    assert_eq!(
        row.get::<_, &str>(0),
        database.config(Login::Owner).get_dbname().unwrap()
    );
    assert_eq!(row.get::<_, &str>(1), "hysio_app");

    drop(database);
    assert!(
        serving.await.unwrap().is_err(),
        "an open session is ended with its database"
    );
    let error = config.connect(NoTls).await.err().unwrap();
    assert_eq!(
        error.code(),
        Some(&tokio_postgres::error::SqlState::UNDEFINED_DATABASE)
    );
}

async fn migrate(config: Config) -> Result<()> {
    MIGRATIONS.fetch_add(1, Ordering::SeqCst);
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client
        .batch_execute("CREATE TABLE note (text text NOT NULL)")
        .await?)
}

async fn count(database: &TestDatabase) -> i64 {
    let client = database.connect(Login::Owner).await.unwrap();
    client
        .query_one("SELECT count(*) FROM note", &[])
        .await
        .unwrap()
        .get(0)
}
