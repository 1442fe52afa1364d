//! Backups of the real private server: taken under load, proven, broken, and restored to a moment.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use hysio_infra::audit::SigningKeys;
use hysio_infra::backup::{
    self, Created, Error, Keys, Live, Options, Restore, Restored, Source, Store, Unwatched, Watcher,
};
use hysio_infra::cipher::MasterKeys;
use hysio_infra::embedded_postgres::{
    Archive, EmbeddedPostgres, Login, Settings, Target, socket_dir,
};
use hysio_infra::postgres::{backups, migrate};
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::task::block_in_place;
use tokio_postgres::Client;

/// An installation: a server with the schema, keys, and a store of backups.
struct Place {
    folder: TempDir,
    server: EmbeddedPostgres,
    store: Store,
}

impl Place {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The database's own user must be able to pass.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
        let data = folder.path().join("data");
        fs::create_dir_all(data.join("keys")).unwrap();
        fs::create_dir_all(data.join("recordings/1")).unwrap();
        let master = MasterKeys::generate_file(&data.join("keys/master.key")).unwrap();
        SigningKeys::generate_file(&data.join("keys/audit.key"), "test").unwrap();
        let store = Store::new(folder.path().join("backups"));
        let settings = Settings {
            archive: Some(archive(&store)),
            ..settings(&data.join("postgres"))
        };
        let server = EmbeddedPostgres::start(settings).await.unwrap();
        let mut owner = migrate::connect(&server.config(Login::Owner))
            .await
            .unwrap();
        migrate::migrate(&mut owner, &master).await.unwrap();
        owner
            .batch_execute("CREATE TABLE notes (number bigserial PRIMARY KEY, text text NOT NULL)")
            .await
            .unwrap();
        Self {
            folder,
            server,
            store,
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn source(&self) -> Source {
        Source {
            socket_dir: socket_dir(&self.data().join("postgres")),
            recordings: self.data().join("recordings"),
            keys: Keys {
                master: self.data().join("keys/master.key"),
                audit: self.data().join("keys/audit.key"),
                in_the_clear: false,
            },
        }
    }

    async fn owner(&self) -> Client {
        migrate::connect(&self.server.config(Login::Owner))
            .await
            .unwrap()
    }

    async fn write(&self, text: &str, rows: i32) {
        let sql = "INSERT INTO notes (text) SELECT $1 FROM generate_series(1, $2)";
        let owner = self.owner().await;
        owner.execute(sql, &[&text, &rows]).await.unwrap();
    }

    fn create_with(&self, options: Options, watcher: &dyn Watcher) -> backup::Result<Created> {
        block_in_place(|| backup::create(&self.store, &self.source(), options, watcher))
    }

    fn create(&self) -> Created {
        self.create_with(Options::default(), &Unwatched).unwrap()
    }

    fn request(&self, id: &str, into: &str, target: Target) -> Restore {
        Restore {
            backup: self.store.find(id, None).unwrap(),
            into: self.folder.path().join(into),
            target,
            timeline: None,
            install_dir: vendor(),
            live: Some(Live {
                postgres: self.data().join("postgres"),
                recordings: self.data().join("recordings"),
            }),
            also: None,
            master_key: self.data().join("keys/master.key"),
        }
    }

    async fn restore(&self, into: &str, target: Target) -> backup::Result<Restored> {
        let request = self.request("newest", into, target);
        backup::restore(&self.store, &request, &Unwatched).await
    }

    /// The notes of a restored data directory, by text.
    async fn restored_notes(&self, into: &str) -> Vec<(String, i64)> {
        let data = self.folder.path().join(into).join("postgres");
        let server = EmbeddedPostgres::start(settings(&data)).await.unwrap();
        let owner = migrate::connect(&server.config(Login::Owner))
            .await
            .unwrap();
        let rows = owner
            .query(
                "SELECT text, count(*) FROM notes GROUP BY 1 ORDER BY 1",
                &[],
            )
            .await
            .unwrap();
        let notes = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        drop(owner);
        server.stop().await.unwrap();
        notes
    }
}

fn archive(store: &Store) -> Archive {
    Archive {
        directory: store.wal(),
        timeout: Duration::from_secs(60),
    }
}

fn vendor() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vendor/postgresql")
}

fn settings(data_dir: &Path) -> Settings {
    Settings {
        stop_timeout: Duration::from_secs(5),
        ..Settings::new(vendor(), data_dir)
    }
}

/// Writes single rows as fast as it can, and counts those that were acknowledged.
fn write_on(config: tokio_postgres::Config, stop: Arc<AtomicBool>) -> tokio::task::JoinHandle<u32> {
    tokio::spawn(async move {
        let client = migrate::connect(&config).await.unwrap();
        let mut acknowledged = 0;
        while !stop.load(Ordering::Relaxed) {
            let sql = "INSERT INTO notes (text) VALUES ('load')";
            if client.execute(sql, &[]).await.is_err() {
                break;
            }
            acknowledged += 1;
        }
        acknowledged
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everything_acknowledged_before_a_moment_is_restored_and_nothing_after_it() {
    let mut place = Place::new().await;
    place.write("before the backup", 1_000).await;
    fs::write(place.data().join("recordings/1/orphan"), b"sealed").unwrap();

    let stop = Arc::new(AtomicBool::new(false));
    let config = place.server.config(Login::Owner);
    let writers: Vec<_> = (0..4)
        .map(|_| write_on(config.clone(), stop.clone()))
        .collect();
    let created = place.create();
    stop.store(true, Ordering::Relaxed);
    let mut under_load = 0;
    for writer in writers {
        under_load += i64::from(writer.await.unwrap());
    }
    assert!(under_load > 0, "nobody wrote while the backup was taken");

    place.write("after the backup", 10).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let moment = Timestamp::now();
    tokio::time::sleep(Duration::from_millis(50)).await;
    place.write("too late", 5).await;
    place.server.crash().await.unwrap();

    let restored = place.restore("then", Target::Time(moment)).await.unwrap();
    assert!(restored.reached);
    assert!(restored.last_commit.unwrap() <= moment);
    let wanted = [
        ("after the backup".to_owned(), 10),
        ("before the backup".to_owned(), 1_000),
        ("load".to_owned(), under_load),
    ];
    assert_eq!(place.restored_notes("then").await, wanted);

    place.restore("latest", Target::Latest).await.unwrap();
    let latest = place.restored_notes("latest").await;
    assert!(latest.contains(&("too late".to_owned(), 5)), "{latest:?}");
    assert_eq!(latest.len(), 4);

    let consistent = place.request(
        &created.manifest.id.to_string(),
        "taken",
        Target::Consistent,
    );
    backup::restore(&place.store, &consistent, &Unwatched)
        .await
        .unwrap();
    let taken = place.restored_notes("taken").await;
    assert!(taken.contains(&("before the backup".to_owned(), 1_000)));
    assert!(
        !taken.iter().any(|(text, _)| text == "too late"),
        "{taken:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_running_server_gives_up_what_it_wrote_last() {
    let place = Place::new().await;
    place.create();
    place.write("just now", 3).await;
    backup::keep_up(&place.store, &place.data().join("recordings"), &Unwatched).unwrap();
    place.restore("copy", Target::Latest).await.unwrap();
    assert_eq!(
        place.restored_notes("copy").await,
        [("just now".to_owned(), 3)]
    );
    place.write("and the first goes on", 1).await;
    // A moment after the last change: the log ends before it, and everything in it belongs.
    let moment = Timestamp::now();
    let restored = place.restore("again", Target::Time(moment)).await.unwrap();
    assert!(!restored.reached);
    assert_eq!(place.restored_notes("again").await.len(), 2);
    place.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_written_after_a_restore_is_restored_from_a_backup_before_it() {
    let mut place = Place::new().await;
    place.create();
    place.write("in both", 1).await;
    place.server.crash().await.unwrap();
    place.restore("first", Target::Latest).await.unwrap();

    let first = place.folder.path().join("first");
    let mut server = EmbeddedPostgres::start(Settings {
        archive: Some(archive(&place.store)),
        ..settings(&first.join("postgres"))
    })
    .await
    .unwrap();
    let owner = migrate::connect(&server.config(Login::Owner))
        .await
        .unwrap();
    owner
        .batch_execute("INSERT INTO notes (text) VALUES ('after the first restore')")
        .await
        .unwrap();
    let mut request = place.request("newest", "second", Target::Latest);
    request.live = Some(Live {
        postgres: first.join("postgres"),
        recordings: first.join("recordings"),
    });
    backup::restore(&place.store, &request, &Unwatched)
        .await
        .unwrap();
    server.crash().await.unwrap();
    let both = [
        ("after the first restore".to_owned(), 1),
        ("in both".to_owned(), 1),
    ];
    assert_eq!(place.restored_notes("second").await, both);

    // All that is left is the store.
    let mut request = place.request("newest", "third", Target::Latest);
    request.live = None;
    backup::restore(&place.store, &request, &Unwatched)
        .await
        .unwrap();
    assert_eq!(place.restored_notes("third").await, both);

    // The one that was crashed first is still there, and was never on the other's timeline.
    place.restore("fourth", Target::Latest).await.unwrap();
    assert_eq!(
        place.restored_notes("fourth").await,
        [("in both".to_owned(), 1)]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_changed_missing_or_added_file_is_named_and_a_changed_one_is_not_restored() {
    let place = Place::new().await;
    fs::write(place.data().join("recordings/1/audio"), b"sealed").unwrap();
    let created = place.create();
    let verify = || backup::verify(&place.store, &created.manifest, &Unwatched).unwrap();
    let good = verify();
    assert!(good.is_good(), "{good:?}");
    assert_eq!(good.files, created.manifest.count());
    assert_eq!(good.bytes, created.manifest.bytes());

    let recording = place.store.recordings().join("1/audio");
    let version = created.path.join("database/PG_VERSION");
    let control = created.path.join("database/global/pg_control");
    flip(&control, 100);
    flip(&recording, 2);
    fs::remove_file(&version).unwrap();
    fs::write(created.path.join("added"), b"").unwrap();
    let bad = verify();
    let named: Vec<_> = bad.problems.iter().map(|problem| &problem.path).collect();
    for path in [&control, &recording, &version, &created.path.join("added")] {
        assert!(named.contains(&path), "{path:?} is not among {named:?}");
    }
    assert_eq!(named.len(), 4);

    fs::write(&version, "18\n").unwrap();
    let error = place.restore("copy", Target::Latest).await.unwrap_err();
    assert!(
        matches!(&error, Error::Damaged { path, .. } if *path == control),
        "{error}"
    );
    assert!(!place.folder.path().join("copy").exists());

    flip(&created.path.join("manifest.json"), 50);
    let listing = place.store.list().unwrap();
    assert!(listing.backups.is_empty());
    assert_eq!(listing.damaged[0].id, created.manifest.id);
    place.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_backup_that_does_not_fit_or_is_broken_off_leaves_the_old_ones_alone() {
    /// Ends the work after some pieces.
    struct Impatient(AtomicU32);
    impl Watcher for Impatient {
        fn cancelled(&self) -> bool {
            self.0.fetch_add(1, Ordering::Relaxed) > 200
        }
    }
    let place = Place::new().await;
    let first = place.create();
    let before = names(place.store.path());

    let too_much = Options {
        reserve_bytes: u64::MAX / 2,
        ..Options::default()
    };
    let error = place.create_with(too_much, &Unwatched).unwrap_err();
    assert!(matches!(error, Error::DiskShort { .. }), "{error}");
    let error = place
        .create_with(Options::default(), &Impatient(AtomicU32::new(0)))
        .unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error}");
    assert_eq!(names(place.store.path()), before);

    // What SIGKILL leaves.
    let half_done = place
        .store
        .path()
        .join(format!("{}.partial", uuid::Uuid::now_v7()));
    fs::create_dir(&half_done).unwrap();
    fs::copy(
        first.path.join("manifest.json"),
        half_done.join("manifest.json"),
    )
    .unwrap();
    assert_eq!(place.store.list().unwrap().backups.len(), 1);
    place.create();
    assert!(!half_done.exists());
    assert!(
        backup::verify(&place.store, &first.manifest, &Unwatched)
            .unwrap()
            .is_good()
    );
    place.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_newest_are_kept_with_the_log_that_they_need() {
    let place = Place::new().await;
    let two = Options {
        keep: 2,
        ..Options::default()
    };
    let mut ids = Vec::new();
    for number in 0..4 {
        place.write("some", 100).await;
        place.owner().await.batch_execute("SELECT 1").await.unwrap();
        let created = place.create_with(two, &Unwatched).unwrap();
        assert_eq!(
            created.removed,
            ids.iter()
                .rev()
                .skip(1)
                .take(1)
                .copied()
                .collect::<Vec<_>>()
                .into_iter()
                .filter(|_| number >= 2)
                .collect::<Vec<_>>()
        );
        ids.push(created.manifest.id);
    }
    let listed: Vec<_> = place
        .store
        .list()
        .unwrap()
        .backups
        .iter()
        .map(|manifest| manifest.id)
        .collect();
    assert_eq!(listed, [ids[3], ids[2]]);
    let oldest = place.store.find(&ids[2].to_string(), None).unwrap();
    assert!(
        backup::verify(&place.store, &oldest, &Unwatched)
            .unwrap()
            .is_good()
    );
    let request = place.request(&ids[2].to_string(), "old", Target::Latest);
    backup::restore(&place.store, &request, &Unwatched)
        .await
        .unwrap();
    assert_eq!(
        place.restored_notes("old").await,
        [("some".to_owned(), 400)]
    );
    place.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_master_key_stays_out_unless_asked_for_and_a_wrong_one_is_refused() {
    let place = Place::new().await;
    let created = place.create();
    let master = fs::read_to_string(place.data().join("keys/master.key")).unwrap();
    let audit = fs::read_to_string(place.data().join("keys/audit.key")).unwrap();
    let secret = |text: &str| text.lines().last().unwrap().to_owned();
    for file in &created.manifest.files {
        let bytes = fs::read(created.path.join(&file.path)).unwrap();
        for secret in [secret(&master), secret(&audit)] {
            assert!(
                !bytes
                    .windows(secret.len())
                    .any(|window| window == secret.as_bytes()),
                "a key is in {}",
                file.path
            );
        }
    }
    let other = place.folder.path().join("other.key");
    MasterKeys::generate_file(&other).unwrap();
    let mut request = place.request("newest", "copy", Target::Latest);
    request.master_key = other;
    let error = backup::restore(&place.store, &request, &Unwatched)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::WrongMasterKey { .. }), "{error}");

    let source = Source {
        keys: Keys {
            in_the_clear: true,
            ..place.source().keys
        },
        ..place.source()
    };
    block_in_place(|| backup::create(&place.store, &source, Options::default(), &Unwatched))
        .unwrap();
    let mut request = place.request("newest", "copy", Target::Latest);
    request.master_key = "/nowhere".into();
    backup::restore(&place.store, &request, &Unwatched)
        .await
        .unwrap();
    let restored = fs::read_to_string(place.folder.path().join("copy/keys/audit.key")).unwrap();
    assert_eq!(restored, audit);
    place.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hole_in_the_log_is_named_instead_of_skipped() {
    let place = Place::new().await;
    let created = place.create();
    let owner = place.owner().await;
    let superuser = migrate::connect(&place.server.config(Login::Superuser))
        .await
        .unwrap();
    let mut names = Vec::new();
    for _ in 0..3 {
        owner
            .batch_execute("INSERT INTO notes (text) VALUES ('x')")
            .await
            .unwrap();
        let row = superuser
            .query_one("SELECT pg_walfile_name(pg_switch_wal())", &[])
            .await
            .unwrap();
        names.push(row.get::<_, String>(0));
    }
    let archive = place
        .store
        .wal()
        .join(created.manifest.cluster.system_identifier.to_string());
    wait_for(&archive.join(&names[2])).await;
    fs::remove_file(archive.join(&names[1])).unwrap();
    let verified = backup::verify(&place.store, &created.manifest, &Unwatched).unwrap();
    assert!(verified.problems.is_empty());
    assert!(
        verified.log_problems[0].path.ends_with(&names[1]),
        "{verified:?}"
    );
    let mut request = place.request("newest", "copy", Target::Latest);
    request.live = None;
    let error = backup::restore(&place.store, &request, &Unwatched)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, Error::LogGap { missing, .. } if *missing == names[1]),
        "{error}"
    );
    request.target = Target::Consistent;
    backup::restore(&place.store, &request, &Unwatched)
        .await
        .unwrap();
    place.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_moment_before_the_backup_or_in_the_future_and_a_used_directory_are_refused() {
    let place = Place::new().await;
    let created = place.create();
    let early = created.manifest.taken_at - Duration::from_secs(1);
    let error = place.restore("a", Target::Time(early)).await.unwrap_err();
    assert!(matches!(error, Error::BeforeBackup { .. }), "{error}");
    let late = Timestamp::now() + Duration::from_secs(60);
    let error = place.restore("a", Target::Time(late)).await.unwrap_err();
    assert!(matches!(error, Error::InTheFuture { .. }), "{error}");
    let error = place.restore("data", Target::Latest).await.unwrap_err();
    assert!(matches!(error, Error::NotEmpty { .. }), "{error}");
    assert!(matches!(
        place.store.find("zzz", None),
        Err(Error::Unknown { .. })
    ));
    assert!(matches!(
        place.store.find("newest", Some(early)),
        Err(Error::None { .. })
    ));
    place.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_services_read_of_backups_and_only_the_owner_writes() {
    let place = Place::new().await;
    let created = place.create();
    let mut owner = place.owner().await;
    let noted = backups::NewBackup {
        id: created.manifest.id,
        taken_at: created.manifest.taken_at,
        bytes: created.manifest.bytes(),
        files: created.manifest.count(),
        wal_until: Some(created.manifest.cluster.end_lsn.clone()),
        path: created.path.display().to_string(),
    };
    backups::record(&mut owner, &noted, &[]).await.unwrap();
    backups::record_verification(&mut owner, noted.id, noted.files, 0)
        .await
        .unwrap();
    let service = migrate::connect(&place.server.config(Login::Application))
        .await
        .unwrap();
    let row = service
        .query_one("SELECT bytes, verified_at IS NOT NULL FROM backups", &[])
        .await
        .unwrap();
    assert_eq!(
        row.get::<_, i64>(0).unsigned_abs(),
        created.manifest.bytes()
    );
    assert!(row.get::<_, bool>(1));
    for sql in [
        "DELETE FROM backups",
        "UPDATE backups SET bytes = 0",
        "INSERT INTO backups SELECT gen_random_uuid(), now(), 1, 1, NULL, NULL, 'x'",
    ] {
        assert!(service.batch_execute(sql).await.is_err(), "{sql}");
    }
    backups::record_verification(&mut owner, noted.id, noted.files, 3)
        .await
        .unwrap();
    let rows = owner.query("SELECT action, outcome FROM audit_entries WHERE resource = 'backup' ORDER BY recorded_at", &[]).await.unwrap();
    let trail: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let entry = |action: &str, outcome: &str| (action.to_owned(), outcome.to_owned());
    assert_eq!(
        trail,
        [
            entry("backup.create", "success"),
            entry("backup.verify", "success"),
            entry("backup.verify", "failure")
        ]
    );
    place.server.stop().await.unwrap();
}

async fn wait_for(path: &Path) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while !path.exists() {
        assert!(
            tokio::time::Instant::now() < deadline,
            "{} never came",
            path.display()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
