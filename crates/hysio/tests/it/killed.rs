//! A worker process that is killed with SIGKILL in each stage: while it computes, and while it commits. Nothing is lost, nothing
//! there twice.

use std::{path::Path, sync::Arc, time::Duration};

use axum::{Json, Router, routing::post};
use hysio::http::diagnosecode::{Options, Service, router};
use hysio_clinical::diagnosecode::{
    Engine,
    catalogue::{self, Inputs},
};
use hysio_infra::embedded_postgres::Login;
use hysio_model::QueueName;
use hysio_testkit::{Hysio, Smtp};
use reqwest::StatusCode;
use serde_json::json;
use tokio::{net::TcpListener, time::Instant};

use crate::world::{WAV, World};

const PATIENCE: Duration = Duration::from_secs(30);

/// What a worker process needs around it, all of it answering.
struct Servers {
    transcription: String,
    diagnosecode: String,
    mail: Smtp,
}

impl Servers {
    async fn start() -> Self {
        let said = json!({
            "task": "transcribe", "language": "english", "duration": 1.0, "text": "Chest pain since Monday.",
            "segments": [{ "id": 0, "start": 0.0, "end": 1.0, "text": "Chest pain since Monday.", "avg_logprob": -0.1, "no_speech_prob": 0.0 }],
        });
        let transcription =
            Router::new().route("/v1/audio/transcriptions", post(async || Json(said)));
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../clinical/tests/data");
        let catalogue =
            catalogue::build(&Inputs::new(&folder, None)).expect("the extract is complete");
        let options = Options {
            workers: 1,
            cache_bytes: 1 << 20,
        };
        Self {
            transcription: serve(transcription).await,
            diagnosecode: serve(router(Service::new(
                Arc::new(Engine::new(catalogue)),
                options,
                None,
            )))
            .await,
            mail: Smtp::start().await.expect("a mail server"),
        }
    }
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// A worker process for this queue alone. `silent` takes the place of what it would ask.
fn worker(world: &World, servers: &Servers, queue: QueueName, silent: Option<&str>) -> Hysio {
    let mail = servers.mail.address().to_string();
    let or = |real: &str| silent.unwrap_or(real).to_owned();
    let http = |real: &str| silent.map_or_else(|| real.to_owned(), |at| format!("http://{at}"));
    let folder = world.folder.path();
    let environment = [
        (
            "HYSIO__DATABASE__URL",
            world.database.connection_string(Login::Application),
        ),
        ("HYSIO__PATHS__DATA", folder.display().to_string()),
        (
            "HYSIO__PATHS__MASTER_KEY",
            folder.join("master.key").display().to_string(),
        ),
        (
            "HYSIO__TRANSCRIPTION__ENGINE__URL",
            http(&servers.transcription),
        ),
        ("HYSIO__DIAGNOSECODE__URL", http(&servers.diagnosecode)),
        ("HYSIO__SMTP__URL", format!("smtp://{}", or(&mail))),
        ("QUEUE_NAMES", queue.as_str().to_owned()),
    ];
    Hysio::start(env!("CARGO_BIN_EXE_hysio"), folder, ["worker"], environment).expect("started")
}

/// Kills a worker while it waits for the engine or the mail server, or, where a stage asks nobody, for a row it writes.
async fn kill_while_it_computes(world: &World, servers: &Servers, queue: QueueName) {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = silent.local_addr().expect("an address").to_string();
    if queue == QueueName::Reports {
        return kill_while_locked(world, servers, queue, "reports").await;
    }
    let mut process = worker(world, servers, queue, Some(&address));
    let asked = tokio::time::timeout(PATIENCE, silent.accept())
        .await
        .unwrap_or_else(|_| panic!("{queue:?} asked nobody: {}", process.output()));
    process.kill().await.expect("killed");
    drop(asked);
}

/// Kills a worker that is about to write its audit entry, the last of its transaction.
async fn kill_while_it_commits(world: &World, servers: &Servers, queue: QueueName) {
    kill_while_locked(world, servers, queue, "audit_entries").await;
}

async fn kill_while_locked(world: &World, servers: &Servers, queue: QueueName, table: &str) {
    let mut holder = superuser(world).await;
    let lock = holder.transaction().await.expect("begun");
    lock.batch_execute(&format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
        .await
        .expect("locked");
    let mut process = worker(world, servers, queue, None);
    let others = superuser(world).await;
    let deadline = Instant::now() + PATIENCE;
    let waiting =
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = $1::text::regclass";
    while count(&others, waiting, &[&table]).await == 0 {
        assert!(
            Instant::now() < deadline,
            "{queue:?} never wrote to {table}: {}",
            process.output()
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    process.kill().await.expect("killed");
    lock.rollback().await.expect("released");
}

/// The job's lease runs out, and another worker does what is left, if anything is.
async fn go_on(world: &World, servers: &Servers, queue: QueueName) {
    let owner = superuser(world).await;
    let deadline = Instant::now() + PATIENCE;
    let mut process = worker(world, servers, queue, None);
    let open = "SELECT count(*) FROM jobs WHERE queue::text = $1 AND state <> 'done'";
    while count(&owner, open, &[&queue.as_str()]).await > 0 {
        owner
            .batch_execute(
                "UPDATE jobs SET lease_expires_at = now() - interval '1 second' WHERE state = 'leased' AND attempt = 1;
                 UPDATE jobs SET run_at = now() WHERE state = 'ready'",
            )
            .await
            .expect("aged");
        world.db.sweep_jobs().await.expect("swept");
        assert!(
            Instant::now() < deadline,
            "{queue:?} is not done: {}",
            process.output()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let ended = process.terminate(PATIENCE).await.expect("ended");
    assert!(ended.success(), "{}", process.output());
}

async fn superuser(world: &World) -> tokio_postgres::Client {
    world
        .database
        .connect(Login::Superuser)
        .await
        .expect("connected")
}

async fn count(
    client: &tokio_postgres::Client,
    query: &str,
    parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)],
) -> i64 {
    client
        .query_one(query, parameters)
        .await
        .expect("counted")
        .get(0)
}

async fn killed_in_each_stage(kill: impl AsyncFn(&World, &Servers, QueueName)) -> (World, Servers) {
    let (world, servers) = (World::new().await, Servers::start().await);
    let anna = world.sign_in("anna@north").await;
    let (_, encounter) = world.encounter(&anna).await;
    let accepted = anna.upload(&encounter, "key-1", WAV).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED, "{}", accepted.text);
    for queue in [
        QueueName::Transcription,
        QueueName::Diagnosecode,
        QueueName::Email,
    ] {
        kill(&world, &servers, queue).await;
        go_on(&world, &servers, queue).await;
    }
    let drafted = anna.wait_for(&encounter, "drafted").await;
    assert_eq!(
        drafted["transcript"]["segments"][0]["text"],
        "Chest pain since Monday."
    );
    let record = format!("/api/records/{}", drafted["record"]["id"]);
    let signed = anna
        .post(&format!("{record}/sign"), &json!({ "version": 1 }))
        .await;
    assert_eq!(signed.status, StatusCode::OK, "{}", signed.text);
    let asked = anna.post(&format!("{record}/report"), &json!({})).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.text);
    kill(&world, &servers, QueueName::Reports).await;
    go_on(&world, &servers, QueueName::Reports).await;
    let pdf = anna.get(&format!("{record}/report.pdf")).await;
    assert_eq!(pdf.status, StatusCode::OK, "{}", pdf.text);
    (world, servers)
}

/// One of each, in the tables and in the trail; and one mail, as a mail program shows it.
async fn once(world: &World, servers: &Servers) {
    let owner = superuser(world).await;
    for table in [
        "recordings",
        "transcripts",
        "patient_records",
        "reports",
        "audit_entries WHERE action = 'transcript.create'",
        "audit_entries WHERE action = 'record.draft'",
        "audit_entries WHERE action = 'email.send'",
    ] {
        let found = count(&owner, &format!("SELECT count(*) FROM {table}"), &[]).await;
        assert_eq!(found, 1, "{table}");
    }
    let repeated = "SELECT count(*) - count(DISTINCT rank) FROM suggestions";
    assert_eq!(count(&owner, repeated, &[]).await, 0);
    let mut mails: Vec<String> = servers
        .mail
        .mails()
        .iter()
        .filter_map(|mail| {
            mail.text
                .lines()
                .find(|line| line.starts_with("Message-ID:"))
                .map(str::to_owned)
        })
        .collect();
    mails.dedup();
    assert_eq!(mails.len(), 1, "{mails:?}");
    world.sequence().await;
    let report = world
        .db
        .verify_audit(world.keys.verifying())
        .await
        .expect("verified");
    assert!(report.is_proven(), "{:?}", report.findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_while_it_computes_in_any_stage_loses_nothing() {
    let (world, servers) = killed_in_each_stage(kill_while_it_computes).await;
    once(&world, &servers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_while_it_commits_in_any_stage_loses_nothing_and_writes_nothing_twice() {
    let (world, servers) = killed_in_each_stage(kill_while_it_commits).await;
    once(&world, &servers).await;
}
