//! Signing in and out, lock-out, idle sessions, forged requests.

use std::time::Duration;

use hysio_infra::{
    embedded_postgres::Login,
    postgres::{migrate, sessions::NewSession, stages},
};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::world::{PASSWORD, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_session_begins_with_the_right_password_and_ends_with_sign_out() {
    let world = World::new().await;
    let anna = world.sign_in("Anna@North ").await;
    let me = anna.get("/api/session").await;
    assert_eq!(me.body["user"]["role"], "clinician");
    assert_eq!(me.body["facility"]["name"], "North");
    let out = anna
        .send(anna.request(Method::DELETE, "/api/session"))
        .await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert_eq!(
        anna.get("/api/session").await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_is_out_of_reach_of_scripts_and_other_sites() {
    let world = World::new().await;
    let visitor = world.visitor();
    let signed_in = visitor
        .post(
            "/api/session",
            &json!({ "email": "anna@north", "password": PASSWORD }),
        )
        .await;
    let cookie = signed_in.headers["set-cookie"]
        .to_str()
        .expect("ASCII")
        .to_owned();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
    let https =
        World::with(|config| config.http.public_url = "https://clinic.example".into()).await;
    let signed_in = https
        .visitor()
        .post(
            "/api/session",
            &json!({ "email": "anna@north", "password": PASSWORD }),
        )
        .await;
    let cookie = signed_in.headers["set-cookie"]
        .to_str()
        .expect("ASCII")
        .to_owned();
    assert!(
        cookie.starts_with("__Host-hysio_session=") && cookie.contains("Secure"),
        "{cookie}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_address_and_a_wrong_password_are_told_apart_by_nobody() {
    let world = World::new().await;
    let wrong = world
        .visitor()
        .post(
            "/api/session",
            &json!({ "email": "anna@north", "password": "wrong wrong wrong" }),
        )
        .await;
    let unknown = world
        .visitor()
        .post(
            "/api/session",
            &json!({ "email": "nobody@north", "password": "wrong wrong wrong" }),
        )
        .await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert_eq!((wrong.status, wrong.text), (unknown.status, unknown.text));
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_failures_lock_the_account_and_an_administrator_unlocks_it() {
    let world = World::with(|config| config.session.lock_after = 3).await;
    let admin = world.sign_in("admin@north").await;
    let visitor = world.visitor();
    for attempt in 1..=3 {
        let answer = visitor
            .post(
                "/api/session",
                &json!({ "email": "anna@north", "password": "wrong wrong wrong" }),
            )
            .await;
        let expected = if attempt < 3 {
            StatusCode::UNAUTHORIZED
        } else {
            StatusCode::LOCKED
        };
        assert_eq!(
            answer.status, expected,
            "attempt {attempt}: {}",
            answer.text
        );
    }
    let locked = visitor
        .post(
            "/api/session",
            &json!({ "email": "anna@north", "password": PASSWORD }),
        )
        .await;
    assert_eq!(locked.status, StatusCode::LOCKED);
    assert!(locked.headers.contains_key("retry-after"));
    let users = admin.get("/api/users").await;
    let anna = users.body["users"]
        .as_array()
        .expect("users")
        .iter()
        .find(|user| user["email"] == "anna@north")
        .expect("anna")
        .clone();
    let unlocked = admin
        .patch(
            &format!("/api/users/{}", anna["id"].as_str().expect("an id")),
            &json!({ "unlock": true }),
        )
        .await;
    assert_eq!(unlocked.status, StatusCode::OK, "{}", unlocked.text);
    let owner = world
        .database
        .connect(hysio_infra::embedded_postgres::Login::Application)
        .await
        .expect("connected");
    let entries: i64 = owner.query_one("SELECT count(*) FROM audit_entries WHERE action = 'session.open' AND outcome = 'refused'", &[]).await.expect("counted").get(0);
    assert_eq!(entries, 3, "each failed sign-in is in the trail");
    let locked: i64 = owner
        .query_one(
            "SELECT count(*) FROM user_for_sign_in('anna@north') WHERE locked_until IS NOT NULL",
            &[],
        )
        .await
        .expect("counted")
        .get(0);
    assert_eq!(locked, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_rests_too_long_is_over() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    let owner = world
        .database
        .connect(hysio_infra::embedded_postgres::Login::Owner)
        .await
        .expect("connected");
    owner
        .execute(
            "UPDATE sessions SET last_seen_at = now() - interval '16 minutes'",
            &[],
        )
        .await
        .expect("aged");
    assert_eq!(
        anna.get("/api/patients").await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_does_not_come_from_our_pages_changes_nothing() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    let forged = reqwest::Client::new()
        .post(format!("http://{}/api/patients", world.address))
        .json(&json!({}))
        .send()
        .await
        .expect("an answer");
    assert_eq!(forged.status(), StatusCode::FORBIDDEN);
    assert_eq!(anna.get("/api/patients").await.body["patients"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_user_is_signed_out_at_once() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    let id = anna.get("/api/session").await.body["user"]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let admin = world.sign_in("admin@north").await;
    assert_eq!(
        admin
            .patch(&format!("/api/users/{id}"), &json!({ "disabled": true }))
            .await
            .status,
        StatusCode::OK
    );
    assert_eq!(
        anna.get("/api/patients").await.status,
        StatusCode::UNAUTHORIZED
    );
    let again = world
        .visitor()
        .post(
            "/api/session",
            &json!({ "email": "anna@north", "password": PASSWORD }),
        )
        .await;
    assert_eq!(again.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_too_often_is_told_when_to_come_back() {
    let world =
        World::with(|config| (config.http.rate_per_second, config.http.rate_burst) = (1, 3)).await;
    let anna = world.sign_in("anna@north").await;
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(anna.get("/api/patients").await);
    }
    let refused = statuses
        .iter()
        .find(|answer| answer.status == StatusCode::TOO_MANY_REQUESTS)
        .expect("one is refused");
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(statuses[0].status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_while_the_database_is_briefly_away_waits_for_it() {
    let world = World::new().await;
    let name = world.database.config(Login::Owner);
    let name = name.get_dbname().expect("it has a name").to_owned();
    let mut elsewhere = world.database.config(Login::Superuser);
    elsewhere.dbname("postgres");
    let server = migrate::connect(&elsewhere).await.expect("a connection");
    let let_in = async |yes: bool| {
        let sql = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {yes}");
        server.batch_execute(&sql).await.expect("altered");
    };

    let_in(false).await;
    let cut =
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    server.batch_execute(&cut).await.expect("cut off");
    let visitor = world.visitor();
    let me = json!({ "email": "anna@north", "password": PASSWORD });
    let asked = tokio::spawn(async move { visitor.post("/api/session", &me).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!asked.is_finished(), "it waits");
    let_in(true).await;
    let answer = asked.await.expect("no panic");
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_opened_by_an_attempt_whose_answer_was_lost_is_the_same() {
    let world = World::new().await;
    let anna = world.db.sign_in_candidate("anna@north").await;
    let anna = anna.expect("answered").expect("she is known");
    let new = NewSession {
        user: anna.id,
        facility: anna.facility,
        role: anna.role,
        lifetime: Duration::from_secs(60),
    };
    let user = anna.id.to_string();
    let event = stages::audit(
        anna.facility,
        &user,
        "session.open",
        ("user", user.clone()),
        json!({}),
    );
    let open = async || world.db.open_session(&[7; 32], &new, &event).await;
    let first = open().await.expect("opened");
    let again = open().await.expect("the same");
    assert_eq!(first.expires_at, again.expires_at);

    let owner = world.database.connect(Login::Superuser).await;
    let sql = "SELECT (SELECT count(*) FROM sessions), (SELECT count(*) FROM audit_entries WHERE action = 'session.open')";
    let row = owner.expect("a connection").query_one(sql, &[]).await;
    let row = row.expect("counted");
    let counts: (i64, i64) = (row.get(0), row.get(1));
    assert_eq!(counts, (1, 1));
}
