//! The private database against the real server: start, stop, crash, and what it refuses.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hysio_infra::embedded_postgres::{EmbeddedPostgres, Error, Login, Settings};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

#[tokio::test]
async fn data_is_as_it_was_after_a_stop_and_a_start() {
    let place = place();
    let first = EmbeddedPostgres::start(settings(place.path()))
        .await
        .unwrap();
    write_note(&first, "kept").await;
    first.stop().await.unwrap();

    let second = EmbeddedPostgres::start(settings(place.path()))
        .await
        .unwrap();
    assert_eq!(notes(&second).await, ["kept"]);
    second.stop().await.unwrap();
}

#[tokio::test]
async fn an_acknowledged_row_survives_a_crash_of_the_server() {
    let place = place();
    let mut database = EmbeddedPostgres::start(settings(place.path()))
        .await
        .unwrap();
    write_note(&database, "acknowledged").await;
    database.crash().await.unwrap();
    database.restart().await.unwrap();
    assert_eq!(notes(&database).await, ["acknowledged"]);
    database.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_left_behind_by_a_killed_hysio_is_replaced() {
    let place = place();
    let killed = EmbeddedPostgres::start(settings(place.path()))
        .await
        .unwrap();
    write_note(&killed, "kept").await;
    let orphan = killed.process_id().unwrap();
    // What SIGKILL leaves of a process: nothing is stopped, and the lock is gone with the open file.
    let lock = place.path().join("data/lock");
    fs::rename(&lock, place.path().join("data/lock-of-the-dead")).unwrap();
    std::mem::forget(killed);

    let next = EmbeddedPostgres::start(settings(place.path()))
        .await
        .unwrap();
    assert_ne!(next.process_id().unwrap(), orphan);
    assert_eq!(notes(&next).await, ["kept"]);
    next.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_starter_is_refused_and_told_who_is_first() {
    let place = place();
    let first = EmbeddedPostgres::start(settings(place.path()))
        .await
        .unwrap();
    let error = EmbeddedPostgres::start(settings(place.path()))
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&format!("process {}", std::process::id())),
        "{error}"
    );
    assert!(matches!(error, Error::InUse { .. }));
    write_note(&first, "the first still works").await;
    first.stop().await.unwrap();
}

#[tokio::test]
async fn of_two_that_start_at_once_one_wins() {
    let place = place();
    let (one, two) = tokio::join!(
        EmbeddedPostgres::start(settings(place.path())),
        EmbeddedPostgres::start(settings(place.path()))
    );
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    one.or(two).unwrap().stop().await.unwrap();
}

#[tokio::test]
async fn the_application_role_has_no_more_rights_than_it_needs() {
    let place = place();
    let database = EmbeddedPostgres::start(settings(place.path()))
        .await
        .unwrap();
    let client = connect(&database, Login::Application).await;
    let row = client
        .query_one("SELECT rolsuper, rolbypassrls, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user", &[])
        .await
        .unwrap();
    let rights: Vec<bool> = (0..4).map(|column| row.get(column)).collect();
    assert_eq!(rights, [false; 4]);
    assert!(
        client
            .batch_execute("CREATE TABLE public.mine (id int)")
            .await
            .is_err()
    );
    database.stop().await.unwrap();
}

#[tokio::test]
async fn a_failing_statement_leaves_no_trace_in_the_log() {
    let place = place();
    let database = EmbeddedPostgres::start(settings(place.path()))
        .await
        .unwrap();
    let client = connect(&database, Login::Application).await;
    assert!(client.batch_execute("SELECT 'Jansen'::int").await.is_err());
    assert!(
        client
            .query("SELECT $1::text::int", &[&"Jansen"])
            .await
            .is_err()
    );
    let log = database.log();
    database.stop().await.unwrap();
    let text = fs::read_to_string(log).unwrap();
    assert!(text.contains("database system is shut down"), "{text}");
    assert!(!text.contains("Jansen"), "{text}");
}

#[tokio::test]
async fn data_of_another_version_is_refused_and_left_alone() {
    let place = place();
    EmbeddedPostgres::start(settings(place.path()))
        .await
        .unwrap()
        .stop()
        .await
        .unwrap();
    let version = place.path().join("data/cluster/PG_VERSION");
    fs::write(&version, "12\n").unwrap();
    let error = EmbeddedPostgres::start(settings(place.path()))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, Error::VersionMismatch { found, .. } if found == "12"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(version).unwrap(), "12\n");
}

#[tokio::test]
async fn a_folder_with_other_files_is_refused() {
    let place = place();
    let cluster = place.path().join("data/cluster");
    fs::create_dir_all(&cluster).unwrap();
    fs::write(cluster.join("thesis.txt"), "years of work").unwrap();
    let error = EmbeddedPostgres::start(settings(place.path()))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NotACluster { .. }), "{error}");
    assert_eq!(
        fs::read_to_string(cluster.join("thesis.txt")).unwrap(),
        "years of work"
    );
}

#[tokio::test]
async fn a_missing_installation_says_how_to_install() {
    let place = place();
    let nowhere = Settings::new(place.path().join("nowhere"), place.path().join("data"));
    let error = EmbeddedPostgres::start(nowhere).await.unwrap_err();
    assert!(matches!(error, Error::NotInstalled { .. }), "{error}");
    assert!(error.to_string().contains("./hysio install"), "{error}");
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_is_refused_before_anything_is_made() {
    let place = place();
    let long = place.path().join("d".repeat(100));
    let error = EmbeddedPostgres::start(Settings::new(installed(), long.join("data")))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::PathTooLong { .. }), "{error}");
    assert!(!long.join("data/cluster").exists());
}

#[tokio::test]
async fn a_file_in_the_place_of_the_data_directory_is_named() {
    let place = place();
    fs::write(place.path().join("data"), "").unwrap();
    let error = EmbeddedPostgres::start(settings(place.path()))
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&place.path().join("data").display().to_string()),
        "{error}"
    );
}

#[tokio::test]
async fn the_end_of_the_server_is_noticed() {
    let place = place();
    let mut database = EmbeddedPostgres::start(settings(place.path()))
        .await
        .unwrap();
    let process = nix::unistd::Pid::from_raw(database.process_id().unwrap().cast_signed());
    nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGINT).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(20), database.ended())
        .await
        .unwrap();
    assert!(ended.unwrap().success());
}

fn settings(place: &Path) -> Settings {
    Settings::new(installed(), place.join("data"))
}

fn installed() -> PathBuf {
    let vendor = std::env::var_os("HYSIO_VENDOR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vendor"),
        PathBuf::from,
    );
    vendor.join("postgresql")
}

/// A directory that the server's unprivileged user can walk through.
fn place() -> TempDir {
    let place = TempDir::with_prefix("hysio-pg-").unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    place
}

async fn write_note(database: &EmbeddedPostgres, text: &str) {
    let client = connect(database, Login::Owner).await;
    client
        .batch_execute("CREATE TABLE IF NOT EXISTS note (text text)")
        .await
        .unwrap();
    client
        .execute("INSERT INTO note VALUES ($1)", &[&text])
        .await
        .unwrap();
}

async fn notes(database: &EmbeddedPostgres) -> Vec<String> {
    let client = connect(database, Login::Owner).await;
    let rows = client.query("SELECT text FROM note", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn connect(database: &EmbeddedPostgres, login: Login) -> Client {
    let (client, connection) = database.config(login).connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
