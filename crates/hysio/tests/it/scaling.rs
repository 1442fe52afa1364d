//! Scaling against the real database: one change at a time, gates, going back, decisions that can be made again, and what
//! operators see and do.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use hysio::{
    commands,
    scaler::{LEASE, policy_files::Current, probes::Prober, store::Decisions},
};
use hysio_control::{
    ports::{Appended, Begun, Ports, Set, Targets as _, TransactionLog as _, Wish},
    run::carry_on,
    tick::{Actor, tick},
    transaction::{Change, Event, Phase},
};
use hysio_infra::{
    embedded_postgres::Login,
    postgres::{
        backups::{NewBackup, record},
        migrate,
        scaling::instances::{Beat, Identity},
    },
};
use hysio_model::{QueueName, SystemClock};
use hysio_scaling::{Resource, Snapshot, decide::History, policies::Policies};
use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;
use serde_json::json;
use uuid::Uuid;

use crate::world::World;

const WORKERS: Resource = Resource::TranscriptionWorkers;

fn wish(new: i32) -> Wish {
    Wish {
        resource: WORKERS,
        new,
        justification: "a test wants it".into(),
        user: "tester".into(),
        pid: 7,
        plan: None,
        ready_within_seconds: 1,
        supersede: false,
    }
}

async fn begun(world: &World, wish: &Wish) -> Change {
    match world.db.begin(wish).await.expect("asked") {
        Begun::Yes(change) => change,
        other => panic!("{other:?}"),
    }
}

/// One target with one worker that says that it is well.
async fn found(world: &World) -> Identity {
    world.db.found_target(WORKERS, 1).await.expect("founded");
    let identity = Identity {
        id: Uuid::now_v7(),
        service: "worker",
        resource: Some(WORKERS.to_string()),
        host: "here".into(),
        pid: 1,
        address: None,
    };
    beat(world, &identity).await;
    identity
}

async fn beat(world: &World, identity: &Identity) {
    let beat = Beat {
        ready: true,
        check: world.db.self_check().await,
        ..Beat::default()
    };
    world.db.beat(identity, &beat).await.expect("written");
}

async fn prober(world: &World) -> Prober {
    // What was done so far has its place in the trail, as the maintenance of every app sees to.
    world.sequence().await;
    let policies = Current::load(None).expect("the built-in policies");
    let limits = policies.policies.limits.clone();
    Prober {
        db: world.db.clone(),
        world: Arc::new(commands::scaler::world(&world.config, &world.db).expect("a world")),
        trail: world.keys.verifying().clone(),
        proven: tokio::sync::Mutex::default(),
        services: BTreeMap::from([("app".into(), format!("http://{}/ready", world.address))]),
        client: reqwest::Client::new(),
        limits: limits.into(),
        backup_hours_max: 26,
    }
}

async fn back_up(world: &World) {
    let mut owner = migrate::connect(&world.database.config(Login::Owner))
        .await
        .expect("the owner");
    let backup = NewBackup {
        id: Uuid::now_v7(),
        taken_at: Timestamp::now(),
        bytes: 1,
        files: 1,
        wal_until: None,
        path: "elsewhere".into(),
    };
    record(&mut owner, &backup, &[]).await.expect("noted");
}

async fn carried(world: &World, prober: &Prober, change: &Change) -> Phase {
    let ports = Ports {
        targets: &world.db,
        probes: prober,
        log: &world.db,
        clock: &SystemClock,
    };
    carry_on(change.id, &ports).await.expect("carried on")
}

async fn desired(world: &World) -> i32 {
    world.db.observe(WORKERS).await.expect("observed").desired
}

/// The words of the trail about one change, in their order.
async fn words(world: &World, change: &Change) -> Vec<String> {
    let owner = world
        .database
        .connect(Login::Superuser)
        .await
        .expect("connected");
    let sql = "SELECT action FROM audit_entries WHERE resource_id = $1 ORDER BY at, id";
    let rows = owner
        .query(sql, &[&change.id.to_string()])
        .await
        .expect("read");
    rows.iter()
        .map(|row| row.get::<_, String>(0).replace("scaling.", ""))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_begin_at_once_one_does_and_a_newer_one_can_take_over() {
    let world = World::new().await;
    found(&world).await;
    let (two, three) = (wish(2), wish(3));
    let (first, second) = tokio::join!(world.db.begin(&two), world.db.begin(&three));
    let both = [first.expect("asked"), second.expect("asked")];
    let mut changes = both.iter().filter_map(|begun| match begun {
        Begun::Yes(change) => Some(change.clone()),
        _ => None,
    });
    let (earlier, none) = (changes.next().expect("one begins"), changes.next());
    assert_eq!(none, None, "only one begins");
    assert!(both.contains(&Begun::InFlight(earlier.id)), "{both:?}");

    let newer = Wish {
        supersede: true,
        ..wish(4)
    };
    let newer = begun(&world, &newer).await;
    assert_eq!(newer.old, earlier.old, "nothing was verified in between");
    assert!(newer.generation > earlier.rollback_generation());
    let log = world.db.read(earlier.id).await.expect("read");
    assert!(matches!(log.last(), Some(Event::Superseded { by, .. }) if *by == newer.generation));
    assert_eq!(words(&world, &earlier).await, ["INITIATED", "SUPERSEDED"]);
    assert_eq!(world.db.unfinished().await.expect("asked"), [newer.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_newer_change_has_set_no_older_one_can_overwrite() {
    let world = World::new().await;
    found(&world).await;
    let set =
        async |count, generation| world.db.set(WORKERS, count, generation).await.expect("set");
    assert_eq!(set(5, 20).await, Set::Done);
    assert_eq!(set(5, 20).await, Set::Done, "twice is once");
    assert_eq!(set(2, 19).await, Set::Superseded { by: 20 });
    assert_eq!(desired(&world).await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_write_one_place_of_a_log_one_does_and_the_trail_has_it_once() {
    let world = World::new().await;
    found(&world).await;
    let change = begun(&world, &wish(3)).await;
    let step = |why: &str| Event::NotApplied {
        at: Timestamp::now(),
        why: why.into(),
    };
    let (one, other) = (step("one"), step("other"));
    let (one, other) = tokio::join!(
        world.db.append(&change, 1, &one),
        world.db.append(&change, 1, &other)
    );
    let mut answers = [one, other].map(|answer| answer.map_err(|away| away.0));
    answers.sort_by_key(|answer| format!("{answer:?}"));
    // Before the gates nothing can fail to be applied: whoever writes it, the fold refuses it.
    assert!(answers.iter().all(Result::is_err), "{answers:?}");
    assert_eq!(words(&world, &change).await, ["INITIATED"]);

    let refused = Event::GateRefused {
        at: Timestamp::now(),
        report: hysio_scaling::gates::Report::default(),
    };
    let (one, other) = tokio::join!(
        world.db.append(&change, 1, &refused),
        world.db.append(&change, 1, &refused)
    );
    let mut answers = [one.expect("asked"), other.expect("asked")];
    answers.sort_by_key(|answer| *answer == Appended::Taken);
    assert_eq!(answers, [Appended::Written, Appended::Taken]);
    assert_eq!(words(&world, &change).await, ["INITIATED", "FAILED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_backup_the_gate_refuses_and_nothing_changes() {
    let world = World::new().await;
    found(&world).await;
    let prober = prober(&world).await;
    let change = begun(&world, &wish(2)).await;
    assert_eq!(carried(&world, &prober, &change).await, Phase::Failed);
    assert_eq!(desired(&world).await, 1);
    let log = world.db.read(change.id).await.expect("read");
    let Some(Event::GateRefused { report, .. }) = log.last() else {
        panic!("{log:?}")
    };
    assert_eq!(
        report.why_not(),
        "backup: there is none: hysio backup create"
    );
    assert_eq!(words(&world, &change).await, ["INITIATED", "FAILED"]);

    back_up(&world).await;
    let again = begun(&world, &wish(1 + 1)).await;
    // The second worker says that it is well before it is asked.
    let second = Identity {
        id: Uuid::now_v7(),
        pid: 2,
        ..found(&world).await
    };
    beat(&world, &second).await;
    let owner = world
        .database
        .connect(Login::Superuser)
        .await
        .expect("connected");
    owner
        .execute("DELETE FROM instances WHERE pid = 1 AND id <> (SELECT id FROM instances WHERE pid = 1 ORDER BY started_at DESC LIMIT 1)", &[])
        .await
        .expect("one of each");
    assert_eq!(carried(&world, &prober, &again).await, Phase::Completed);
    assert_eq!(
        words(&world, &again).await,
        ["INITIATED", "GATES_PASSED", "APPLIED", "READY", "COMPLETED"]
    );
    assert_eq!(desired(&world).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_ready_in_time_goes_back_but_not_over_a_newer_owner() {
    let world = World::new().await;
    found(&world).await;
    back_up(&world).await;
    let prober = prober(&world).await;
    let change = begun(&world, &wish(4)).await;
    assert_eq!(carried(&world, &prober, &change).await, Phase::RolledBack);
    assert_eq!(desired(&world).await, 1);
    assert_eq!(
        words(&world, &change).await,
        [
            "INITIATED",
            "GATES_PASSED",
            "APPLIED",
            "FAILED",
            "ROLLBACK_INITIATED",
            "ROLLBACK_COMPLETED"
        ]
    );
    world.sequence().await;

    let slow = Wish {
        ready_within_seconds: 30,
        ..wish(4)
    };
    let change = begun(&world, &slow).await;
    let newer = async {
        while desired(&world).await != 4 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let newer = change.generation + 100;
        world.db.set(WORKERS, 3, newer).await.expect("set");
    };
    let (phase, ()) = tokio::join!(carried(&world, &prober, &change), newer);
    assert_eq!(phase, Phase::Superseded);
    assert_eq!(desired(&world).await, 3, "the newer owner's count stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lease_is_one_holders_until_it_expires_or_is_given_up() {
    let world = World::new().await;
    let hold = async |holder, ttl| world.db.hold_lease("l", holder, ttl).await.expect("asked");
    let long = Duration::from_secs(60);
    assert!(hold("a", long).await);
    assert!(!hold("b", long).await);
    assert!(hold("a", Duration::ZERO).await, "renewed, and over at once");
    assert!(hold("b", long).await);
    world.db.give_up_lease("l", "a").await.expect("not its own");
    assert_eq!(
        world.db.lease_holder("l").await.expect("asked").as_deref(),
        Some("b")
    );
    world.db.give_up_lease("l", "b").await.expect("given up");
    assert!(hold("a", long).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_made_again_from_what_was_stored_to_the_byte() {
    let world = World::new().await;
    found(&world).await;
    let current = Current::load(None).expect("the built-in policies");
    let digest = current.digest();
    world
        .db
        .keep_policies(&digest, &current.files)
        .await
        .expect("kept");
    let anna = world.sign_in("anna@north").await;
    for n in 0..9 {
        let (_, encounter) = world.encounter(&anna).await;
        let accepted = anna
            .upload(&encounter, &format!("k{n}"), crate::world::WAV)
            .await;
        assert_eq!(accepted.status, StatusCode::ACCEPTED);
    }
    let observer = commands::scaler::world(&world.config, &world.db).expect("a world");
    let decisions = Decisions::new(world.db.clone(), digest.clone());
    let actor = Actor {
        user: "scaler".into(),
        pid: 1,
    };
    let ticked = tick(&current.policies, &observer, &decisions, &world.db, &actor)
        .await
        .expect("ticked");
    assert_eq!(ticked.begun.len(), 1, "{:?}", ticked.decision);
    assert_eq!(
        ticked.begun[0].new, 5,
        "two for each worker of nine that wait"
    );
    let again = tick(&current.policies, &observer, &decisions, &world.db, &actor)
        .await
        .expect("ticked");
    assert!(again.begun.is_empty(), "one change at a time");
    assert_eq!(
        again.decision.outcomes[0].plan(),
        None,
        "{:?}",
        again.decision
    );

    let stored = world.db.decision(ticked.id).await.expect("read");
    let stored = stored.expect("kept");
    let files = world.db.kept_policies(&stored.policies_digest).await;
    let policies = Policies::read(&files.expect("read").expect("kept")).expect("good");
    let history: History = serde_json::from_value(stored.history).expect("a history");
    let snapshot: Snapshot = serde_json::from_value(stored.snapshot).expect("a snapshot");
    let (decision, _) = hysio_scaling::decide::decide(&policies, &history, &snapshot);
    assert_eq!(json!(decision), stored.decision);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trail_that_is_proven_is_not_proven_again_and_one_that_was_tampered_with_is_noticed() {
    let world = World::new().await;
    let prober = prober(&world).await;
    let facts = async || {
        let facts = world.db.audit_facts(&prober.trail, &prober.proven).await;
        facts.expect("asked")
    };
    let whole = facts().await;
    assert!(whole.proven > 0 && whole.proven_before == 0, "{whole:?}");
    assert_eq!((whole.proven, &whole.broken), (whole.size, &None));

    world.sign_in("operator").await;
    world.sequence().await;
    let later = facts().await;
    assert_eq!(later.proven_before, whole.size, "{later:?}");
    assert!(later.proven > 0 && later.size == whole.size + later.proven);

    // What came last is changed by somebody who can do everything.
    let owner = world
        .database
        .connect(Login::Superuser)
        .await
        .expect("connected");
    world.sign_in("auditor").await;
    world.sequence().await;
    owner
        .batch_execute(
            "ALTER TABLE audit_entries DISABLE TRIGGER USER;
             UPDATE audit_entries SET actor = 'nobody' WHERE leaf_index = (SELECT max(leaf_index) FROM audit_entries)",
        )
        .await
        .expect("tampered");
    assert!(facts().await.broken.is_some());
    let again = facts().await;
    assert!(
        again.broken.is_some() && again.proven_before == 0,
        "{again:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_fail_are_counted_until_one_succeeds() {
    let world = World::new().await;
    found(&world).await;
    let prober = prober(&world).await;
    let failing = async || {
        let failing = world.db.failing().await.expect("asked");
        failing.get(WORKERS.as_str()).map(|it| it.changes)
    };
    assert_eq!(failing().await, None);
    for plan in [Some(Uuid::now_v7()), None, Some(Uuid::now_v7())] {
        let change = begun(&world, &Wish { plan, ..wish(2) }).await;
        assert_eq!(carried(&world, &prober, &change).await, Phase::Failed);
    }
    assert_eq!(failing().await, Some(2), "those by hand don't count");
    let owner = world
        .database
        .connect(Login::Superuser)
        .await
        .expect("connected");
    owner
        .execute("UPDATE scaling_transactions SET phase = 'completed' WHERE begun_at = (SELECT max(begun_at) FROM scaling_transactions)", &[])
        .await
        .expect("as if it had succeeded");
    assert_eq!(failing().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_and_steer_and_nobody_else_does() {
    let world = World::new().await;
    found(&world).await;
    let operator = world.sign_in("operator").await;
    for person in ["anna@north", "admin@north", "auditor"] {
        let person = world.sign_in(person).await;
        for path in ["/api/scaling", "/api/scaling/events"] {
            assert_eq!(person.get(path).await.status, StatusCode::FORBIDDEN);
        }
        let emergency =
            json!({"scenario": "pandemic_response", "reason": "not theirs", "hours": 1});
        let answer = person.post("/api/scaling/emergency", &emergency).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
    let state = operator.get("/api/scaling").await;
    assert_eq!(state.status, StatusCode::OK, "{}", state.text);
    assert_eq!(state.body["targets"][0]["resource"], WORKERS.as_str());
    assert_eq!(state.body["scenarios"], json!(["pandemic_response"]));

    let change = |count: i32| json!({"resource": WORKERS.as_str(), "count": count, "reason": "a busy clinic"});
    let path = "/api/scaling/changes";
    let answer = operator.post(path, &change(2)).await;
    assert_eq!(
        answer.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "nobody would carry it through"
    );
    let ttl = Duration::from_secs(60);
    assert!(world.db.hold_lease(LEASE, "x/1", ttl).await.expect("held"));
    for (body, status, says) in [
        (change(99), StatusCode::UNPROCESSABLE_ENTITY, "1 to 10"),
        (change(1), StatusCode::CONFLICT, "already"),
        (
            json!({"resource": "printers", "count": 1, "reason": "a busy clinic"}),
            StatusCode::UNPROCESSABLE_ENTITY,
            "printers",
        ),
        (
            json!({"resource": WORKERS.as_str(), "count": 2, "reason": "x"}),
            StatusCode::UNPROCESSABLE_ENTITY,
            "why",
        ),
        (change(3), StatusCode::ACCEPTED, "gating"),
        (change(4), StatusCode::CONFLICT, "being changed"),
    ] {
        let answer = operator.post(path, &body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
        assert!(answer.text.contains(says), "{body}: {}", answer.text);
    }
    let state = operator.get("/api/scaling").await;
    let begun = &state.body["changes"][0];
    assert_eq!(begun["log"][0]["event"], "initiated");
    let one = operator
        .get(&format!("{path}/{}", begun["id"].as_str().expect("an id")))
        .await;
    assert_eq!(one.body["justification"], "a busy clinic");
    let none = operator.get(&format!("{path}/{}", Uuid::nil())).await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emergency_has_an_owner_a_reason_and_an_end_and_is_in_the_trail() {
    let world = World::new().await;
    let operator = world.sign_in("operator").await;
    let path = "/api/scaling/emergency";
    let declaration = |scenario: &str, reason: &str, hours: i64| json!({"scenario": scenario, "reason": reason, "hours": hours});
    for (body, says) in [
        (declaration("zombies", "a wave of them", 2), "zombies"),
        (declaration("pandemic_response", "", 2), "why"),
        (
            declaration("pandemic_response", "a wave of influenza", 0),
            "end",
        ),
        (
            declaration("pandemic_response", "a wave", i64::MAX),
            "hours",
        ),
    ] {
        let answer = operator.post(path, &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert!(answer.text.contains(says), "{body}: {}", answer.text);
    }
    let good = declaration("pandemic_response", "a wave of influenza", 2);
    let declared = operator.post(path, &good).await;
    assert_eq!(declared.status, StatusCode::CREATED, "{}", declared.text);
    assert_eq!(declared.body["owner_name"], "Name of operator");
    let twice = operator.post(path, &good).await;
    assert_eq!(twice.status, StatusCode::CONFLICT);
    let stored = world
        .db
        .emergency()
        .await
        .expect("asked")
        .expect("declared");
    let length = stored.ends_at.duration_since(stored.declared_at);
    assert_eq!(length, SignedDuration::from_hours(2));

    let over = json!({"reason": "the wave is over"});
    let down = format!("{path}/stand-down");
    assert_eq!(
        operator.post(&down, &over).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        operator.post(&down, &over).await.status,
        StatusCode::NOT_FOUND
    );
    let owner = world
        .database
        .connect(Login::Superuser)
        .await
        .expect("connected");
    let sql = "SELECT action FROM audit_entries WHERE action LIKE 'emergency.%' ORDER BY at, id";
    let rows = owner.query(sql, &[]).await.expect("read");
    let actions: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(actions, ["emergency.declare", "emergency.stand_down"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_an_emergency_a_worker_of_several_queues_takes_the_urgent_ones_first() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    let done = world.drafted(&anna).await;
    let record = format!("/api/records/{}", done["record"]["id"]);
    let signed = anna
        .post(
            &format!("{record}/sign"),
            &json!({"version": done["record"]["version"]}),
        )
        .await;
    assert_eq!(signed.status, StatusCode::OK, "{}", signed.text);
    let report = anna.post(&format!("{record}/report"), &json!({})).await;
    assert!(report.status.is_success(), "{}", report.text);
    let (_, encounter) = world.encounter(&anna).await;
    anna.upload(&encounter, "later", crate::world::WAV).await;

    let lease = async || {
        let lease = Duration::from_secs(0);
        let jobs = world.db.lease_jobs(&QueueName::ALL, 1, "test", lease).await;
        let queue = jobs.expect("asked")[0].queue;
        let owner = world
            .database
            .connect(Login::Superuser)
            .await
            .expect("connected");
        let again = "UPDATE jobs SET state = 'ready', lease_token = NULL, lease_owner = NULL, lease_expires_at = NULL WHERE state = 'leased'";
        owner.execute(again, &[]).await.expect("given back");
        queue
    };
    let usual = lease().await;
    assert_eq!(usual, QueueName::Reports, "who came first, usually");
    let operator = world.sign_in("operator").await;
    let body =
        json!({"scenario": "pandemic_response", "reason": "a wave of influenza", "hours": 1});
    let declared = operator.post("/api/scaling/emergency", &body).await;
    assert_eq!(declared.status, StatusCode::CREATED);
    assert_eq!(lease().await, QueueName::Transcription);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_tells_of_a_change_as_it_happens() {
    let world = World::new().await;
    found(&world).await;
    let operator = world.sign_in("operator").await;
    let mut stream = operator
        .request(reqwest::Method::GET, "/api/scaling/events")
        .send()
        .await
        .expect("a stream");
    let mut told = String::new();
    let mut begun_already = false;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !told.contains("a test wants it") {
        let chunk = tokio::time::timeout_at(deadline, stream.chunk()).await;
        let chunk = chunk.unwrap_or_else(|_| panic!("told in time: {told}"));
        told += &String::from_utf8_lossy(&chunk.expect("a chunk").expect("not over"));
        if !begun_already {
            assert!(told.contains("\"desired\":1"), "{told}");
            begun(&world, &wish(2)).await;
            begun_already = true;
        }
    }
}
