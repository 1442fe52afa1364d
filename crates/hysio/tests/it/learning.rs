//! Learning from use, against a real database: decisions move a facility's own suggestions, can be looked at, taken back and
//! switched off, lie sealed, and stay in the facility unless they are shared.

use std::{
    path::Path,
    sync::{Arc, LazyLock},
};

use async_trait::async_trait;
use hysio::http::diagnosecode::{Options, Service, router};
use hysio_clinical::{
    diagnosecode::{
        Engine, Query,
        catalogue::{self, Inputs},
    },
    jobs::JobError,
    ports::{CodeQuery, Coder, Coding},
};
use hysio_infra::embedded_postgres::Login;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::{Answer, Person, Says, WAV, World};

static ENGINE: LazyLock<Arc<Engine>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../clinical/tests/data");
    let catalogue = catalogue::build(&Inputs::new(&folder, None)).expect("the extract is complete");
    Arc::new(Engine::new(catalogue))
});

/// The engine itself, in place of the service.
struct Real;

#[async_trait]
impl Coder for Real {
    async fn suggest(&self, text: &str, query: &CodeQuery) -> Result<Coding, JobError> {
        let query = Query {
            system: query.system,
            limit: query.limit,
            patient: query.patient,
            language: None,
        };
        Ok(Coding {
            suggestions: ENGINE.suggest(text, &query).expect("a short text"),
            model: "real".into(),
        })
    }
}

/// A world whose app looks codes up in the extract.
pub async fn world() -> World {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    let options = Options {
        workers: 1,
        cache_bytes: 0,
    };
    let service = router(Service::new(Arc::clone(&ENGINE), options, None));
    tokio::spawn(async move { axum::serve(listener, service).await });
    World::with(|config| config.diagnosecode.url = Some(format!("http://{address}"))).await
}

/// The suggestions for a dictation, and the encounter.
pub async fn dictate(world: &World, person: &Person, text: &str) -> Value {
    let worker = world.worker(Says::words(text), Real).await;
    let (_, encounter) = world.encounter(person).await;
    let accepted = person.upload(&encounter, &encounter, WAV).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED, "{}", accepted.body);
    let done = person.wait_for(&encounter, "drafted").await;
    worker.stop().await;
    done
}

fn codes(encounter: &Value) -> Vec<String> {
    let suggestions = encounter["suggestions"].as_array().expect("a list");
    suggestions
        .iter()
        .map(|suggestion| suggestion["code"].as_str().expect("a code").to_owned())
        .collect()
}

fn suggestion<'a>(encounter: &'a Value, code: &str) -> &'a Value {
    let suggestions = encounter["suggestions"].as_array().expect("a list");
    suggestions
        .iter()
        .find(|suggestion| suggestion["code"] == code)
        .unwrap_or_else(|| panic!("{code} is not among {:?}", codes(encounter)))
}

pub async fn decide(person: &Person, encounter: &Value, code: &str, decision: &str) {
    let (id, suggestion) = (&encounter["id"], &suggestion(encounter, code)["id"]);
    let path = format!(
        "/api/encounters/{}/suggestions/{}",
        id.as_str().expect("an id"),
        suggestion.as_str().expect("an id")
    );
    let answer = person.patch(&path, &json!({ "decision": decision })).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
}

async fn add(person: &Person, encounter: &Value, body: Value) -> Answer {
    let id = encounter["id"].as_str().expect("an id");
    person
        .post(&format!("/api/encounters/{id}/suggestions"), &body)
        .await
}

async fn lessons(admin: &Person) -> Vec<Value> {
    let answer = admin.get("/api/learning").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.body["lessons"].as_array().expect("a list").clone()
}

async fn call(admin: &Person, method: Method, path: &str) -> Answer {
    admin.send(admin.request(method, path)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_move_the_suggestions_of_their_facility_alone_and_are_unlearnt_when_taken_back() {
    let world = world().await;
    let anna = world.sign_in("anna@north").await;
    let sara = world.sign_in("sara@south").await;
    let admin = world.sign_in("admin@north").await;
    let text = "Pain in the knee.";
    let untouched = codes(&dictate(&world, &anna, text).await);
    let (first, second) = (untouched[0].clone(), untouched[1].clone());
    let mut decided = Vec::new();
    for _ in 0..6 {
        let encounter = dictate(&world, &anna, text).await;
        decide(&anna, &encounter, &first, "rejected").await;
        decide(&anna, &encounter, &second, "accepted").await;
        decided.push(encounter);
    }
    let after = dictate(&world, &anna, text).await;
    assert_eq!(codes(&after)[0], second, "{after}");
    assert_eq!(
        suggestion(&after, &second)["learnt"],
        json!({ "accepted": 6, "decided": 6, "shared": false })
    );
    let elsewhere = dictate(&world, &sara, text).await;
    assert_eq!(codes(&elsewhere), untouched);
    assert!(suggestion(&elsewhere, &second)["learnt"].is_null());

    assert_eq!(lessons(&admin).await.len(), 2);
    for encounter in &decided {
        decide(&anna, encounter, &first, "pending").await;
        // Twice says no more than once.
        decide(&anna, encounter, &second, "pending").await;
        decide(&anna, encounter, &second, "pending").await;
    }
    assert_eq!(lessons(&admin).await, Vec::<Value>::new());
    assert_eq!(codes(&dictate(&world, &anna, text).await), untouched);
}

#[tokio::test(flavor = "multi_thread")]
async fn words_that_a_code_was_added_for_suggest_it_and_lie_sealed() {
    let world = world().await;
    let anna = world.sign_in("anna@north").await;
    let sara = world.sign_in("sara@south").await;
    let admin = world.sign_in("admin@north").await;
    let first = dictate(&world, &anna, "She passed Wonky gravel 🙂 on the left.").await;
    assert!(!codes(&first).contains(&"N20.0".to_owned()));
    let request = json!({ "system": "ICD-10-CM", "code": "N20.0", "words": "wonky gravel" });
    let added = add(&anna, &first, request).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.body);
    assert_eq!(added.body["evidence"][0]["text"], "Wonky gravel");

    let again = dictate(&world, &anna, "Wonky gravels, as before.").await;
    let taught = suggestion(&again, "N20.0");
    assert_eq!(taught["learnt"]["phrase"], "wonky gravel");
    assert_eq!(taught["evidence"][0]["text"], "Wonky gravels");
    let denied = dictate(&world, &anna, "No wonky gravel.").await;
    assert!(!codes(&denied).contains(&"N20.0".to_owned()));
    let elsewhere = dictate(&world, &sara, "Wonky gravels, as before.").await;
    assert!(!codes(&elsewhere).contains(&"N20.0".to_owned()));

    in_no_table(&world, &["wonky", "N20.0", "gravel"]).await;

    decide(&anna, &again, "N20.0", "rejected").await;
    let known = lessons(&admin).await;
    let phrase = known
        .iter()
        .find(|lesson| lesson["phrase"] == "wonky gravel")
        .expect("the phrase is listed");
    assert_eq!(
        (&phrase["accepted"], &phrase["rejected"]),
        (&json!(1), &json!(1))
    );
    let path = format!(
        "/api/learning/lessons/{}",
        phrase["id"].as_str().expect("an id")
    );
    let forgotten = call(&admin, Method::DELETE, &path).await;
    assert_eq!(forgotten.status, StatusCode::NO_CONTENT);
    let after = dictate(&world, &anna, "A wonky gravel.").await;
    assert!(!codes(&after).contains(&"N20.0".to_owned()));
    // What was decided before it was forgotten is not counted again, nor against it.
    decide(&anna, &again, "N20.0", "accepted").await;
    decide(&anna, &again, "N20.0", "pending").await;
    assert!(
        lessons(&admin)
            .await
            .iter()
            .all(|lesson| lesson["phrase"].is_null())
    );
}

/// No word, in the clear or in hexadecimal, in any row of any table.
async fn in_no_table(world: &World, words: &[&str]) {
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
    let mut rows_read = 0;
    for table in tables {
        let table: String = table.get(0);
        let rows = owner
            .query(&format!("SELECT t::text FROM {table} t"), &[])
            .await
            .expect("read");
        for row in rows {
            rows_read += usize::from(table == "lessons");
            let text: String = row.get::<_, String>(0).to_lowercase();
            for word in words {
                let word = word.to_lowercase();
                assert!(
                    !text.contains(&word) && !text.contains(&hex::encode(&word)),
                    "{word} lies in {table}"
                );
            }
        }
    }
    assert!(rows_read > 0, "something was learnt");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_switches_learning_and_single_lessons_off_and_nobody_else_does() {
    let world = world().await;
    let anna = world.sign_in("anna@north").await;
    let admin = world.sign_in("admin@north").await;
    let text = "Pain in the knee.";
    let first = dictate(&world, &anna, text).await;
    let code = codes(&first)[0].clone();
    decide(&anna, &first, &code, "accepted").await;
    let learnt = |encounter: &Value| !suggestion(encounter, &code)["learnt"].is_null();
    assert!(learnt(&dictate(&world, &anna, text).await));

    let id = lessons(&admin).await[0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let path = format!("/api/learning/lessons/{id}");
    let off = admin.patch(&path, &json!({ "off": true })).await;
    assert_eq!(off.status, StatusCode::NO_CONTENT);
    assert!(!learnt(&dictate(&world, &anna, text).await));
    admin.patch(&path, &json!({ "off": false })).await;
    let changed = admin
        .patch("/api/learning", &json!({ "enabled": false }))
        .await;
    assert_eq!(changed.body["enabled"], false);
    let unlearnt = dictate(&world, &anna, text).await;
    assert!(!learnt(&unlearnt));
    decide(&anna, &unlearnt, &code, "accepted").await;
    assert_eq!(
        lessons(&admin).await[0]["accepted"],
        1,
        "nothing is counted while it is off"
    );

    for (who, path) in [
        ("anna@north", path.as_str()),
        ("anna@north", "/api/learning"),
    ] {
        let person = world.sign_in(who).await;
        let answer = person
            .patch(path, &json!({ "off": true, "enabled": true }))
            .await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{who} {path}");
    }
    for path in [
        "/api/learning/lessons/nonsense",
        "/api/learning/lessons/é",
        &format!("/api/learning/lessons/{}", "0".repeat(64)),
    ] {
        let answer = call(&admin, Method::DELETE, path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_leave_the_facility_only_when_shared_and_then_without_words_or_few_decisions() {
    let world = world().await;
    let anna = world.sign_in("anna@north").await;
    let sara = world.sign_in("sara@south").await;
    let (admin, other) = (
        world.sign_in("admin@north").await,
        world.sign_in("admin@south").await,
    );
    let text = "Pain in the knee.";
    let mut code = String::new();
    for round in 0..10 {
        let encounter = dictate(&world, &anna, text).await;
        code = codes(&encounter)[0].clone();
        decide(&anna, &encounter, &code, "accepted").await;
        if round == 0 {
            let rare = codes(&encounter)[1].clone();
            decide(&anna, &encounter, &rare, "rejected").await;
        }
    }
    let used = other
        .patch("/api/learning", &json!({ "uses_shared": true }))
        .await;
    assert_eq!(used.status, StatusCode::OK, "{}", used.body);
    let learnt = async || {
        let encounter = dictate(&world, &sara, text).await;
        suggestion(&encounter, &code)["learnt"].clone()
    };
    assert!(learnt().await.is_null(), "nothing is shared yet");
    let shared = call(&admin, Method::PUT, "/api/learning/share").await;
    assert_eq!(shared.body["shared"]["codes"], 1, "{}", shared.body);
    assert_eq!(
        learnt().await,
        json!({ "accepted": 10, "decided": 10, "shared": true })
    );
    let taken_back = call(&admin, Method::DELETE, "/api/learning/share").await;
    assert!(taken_back.body["shared"].is_null());
    assert!(learnt().await.is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_added_by_hand_must_be_in_use_and_its_words_must_have_been_said() {
    let world = world().await;
    let anna = world.sign_in("anna@north").await;
    let encounter = dictate(&world, &anna, "Pain in the knee.").await;
    for (body, field, says) in [
        (
            json!({ "system": "ICD-10-CM", "code": "T40.7X1A" }),
            "code",
            "T40.711A",
        ),
        (
            json!({ "system": "ICD-10-CM", "code": "Q99.9" }),
            "code",
            "search",
        ),
        (
            json!({ "system": "ICD-10-CM", "code": "I10", "words": "frozen shoulder" }),
            "words",
            "neither",
        ),
        (
            json!({ "system": "ICD-10-CM", "code": "I10", "words": "…" }),
            "words",
            "one to eight words",
        ),
    ] {
        let answer = add(&anna, &encounter, body.clone()).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert_eq!(answer.body["field"], field, "{}", answer.body);
        assert!(answer.text.contains(says), "{}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_of_both_systems_are_searched_through_the_app() {
    let world = world().await;
    let anna = world.sign_in("anna@north").await;
    let found = anna
        .get("/api/codes?q=lumb%20artr&system=DCSPH&limit=50")
        .await;
    let codes = found.body["codes"].as_array().expect("a list").clone();
    assert!(
        codes
            .iter()
            .any(|code| code["code"] == "3423" && code["system"] == "DCSPH"),
        "{}",
        found.body
    );
    let found = anna.get("/api/codes?q=migr%20aura").await;
    assert_eq!(found.body["codes"][0]["system"], "ICD-10-CM");
    let unknown = anna.get("/api/codes?q=x&system=SNOMED").await;
    assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY);
}
