//! Who may see what: roles, and the wall between facilities, walked over every route of the API's description.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::World;

/// Open to those who have not signed in: signing in.
const OPEN: [(&str, &str); 1] = [("post", "/api/session")];

fn routes() -> Vec<(Method, String, String)> {
    let document: Value = serde_json::from_str(&hysio::http::app::openapi()).expect("JSON");
    let mut routes = Vec::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for name in operations.as_object().expect("operations").keys() {
            let method = name.to_uppercase().parse().expect("a method");
            routes.push((method, name.clone(), path.clone()));
        }
    }
    routes
}

fn filled(path: &str, id: &str, record: &str) -> String {
    let id = if path.contains("/records/") {
        record
    } else {
        id
    };
    path.replace("{id}", id)
        .replace("{suggestion}", "01a20a21-0000-7000-8000-000000000000")
        .replace("{version}", "1")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_refuses_those_who_have_not_signed_in() {
    let world = World::new().await;
    let visitor = world.visitor();
    let routes = routes();
    assert!(
        routes.len() >= 29,
        "the description is whole: {} routes",
        routes.len()
    );
    for (method, name, path) in routes {
        if OPEN.contains(&(name.as_str(), path.as_str())) {
            continue;
        }
        let request = visitor.request(
            method,
            &filled(&path, "01a20a21-0000-7000-8000-000000000000", "1"),
        );
        let answer = visitor
            .send(request.header("Idempotency-Key", "k").json(&json!({})))
            .await;
        assert_eq!(
            answer.status,
            StatusCode::UNAUTHORIZED,
            "{name} {path}: {}",
            answer.text
        );
        assert_eq!(
            answer.headers["content-type"], "application/problem+json",
            "{name} {path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_a_clinician_sees_patients() {
    let world = World::new().await;
    for email in ["admin@north", "operator", "auditor"] {
        let person = world.sign_in(email).await;
        for path in ["/api/patients", "/api/encounters", "/api/records/1"] {
            assert_eq!(
                person.get(path).await.status,
                StatusCode::FORBIDDEN,
                "{email} {path}"
            );
        }
    }
    let anna = world.sign_in("anna@north").await;
    for path in ["/api/users", "/api/audit", "/api/jobs?state=dead"] {
        assert_eq!(anna.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_another_facility_is_not_there() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    let encounter = world.drafted(&anna).await;
    let sara = world.sign_in("sara@south").await;
    let id = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let (enc, patient) = (id(&encounter["id"]), id(&encounter["patient"]["id"]));
    let (recording, record, job) = (
        id(&encounter["recording"]["id"]),
        id(&encounter["record"]["id"]),
        id(&encounter["job_id"]),
    );
    for path in [
        format!("/api/patients/{patient}"),
        format!("/api/encounters/{enc}"),
        format!("/api/recordings/{recording}/audio"),
        format!("/api/records/{record}"),
        format!("/api/records/{record}/versions"),
        format!("/api/records/{record}/versions/1"),
        format!("/api/records/{record}/report.pdf"),
        format!("/api/jobs/{job}"),
        format!("/api/jobs/{job}/events"),
    ] {
        assert_eq!(
            sara.get(&path).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    let note =
        json!({ "version": 1, "subjective": "x", "objective": "", "assessment": "", "plan": "" });
    assert_eq!(
        sara.put(&format!("/api/records/{record}"), &note)
            .await
            .status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        sara.post(
            &format!("/api/records/{record}/sign"),
            &json!({ "version": 1 })
        )
        .await
        .status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        sara.upload(&enc, "k", crate::world::WAV).await.status,
        StatusCode::NOT_FOUND
    );
    let suggestion = id(&encounter["suggestions"][0]["id"]);
    let decide = sara
        .patch(
            &format!("/api/encounters/{enc}/suggestions/{suggestion}"),
            &json!({ "decision": "accepted" }),
        )
        .await;
    assert_eq!(decide.status, StatusCode::NOT_FOUND);
    assert_eq!(
        sara.get("/api/patients?q=jansen").await.body["patients"],
        json!([])
    );
    assert_eq!(
        anna.get(&format!("/api/encounters/{enc}")).await.body["record"]["version"],
        1,
        "nothing was changed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rubbish_gets_a_problem_that_says_what_is_wrong() {
    let world = World::new().await;
    let anna = world.sign_in("anna@north").await;
    let send = async |body: &str| {
        let request = anna
            .request(Method::POST, "/api/patients")
            .header("content-type", "application/json")
            .body(body.to_owned());
        anna.send(request).await
    };
    for (body, status) in [
        ("{", StatusCode::BAD_REQUEST),
        ("[]", StatusCode::UNPROCESSABLE_ENTITY),
        (
            r#"{"given_name":"A","family_name":"B","birth_date":"1800-01-01","sex":"male"}"#,
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            r#"{"given_name":" ","family_name":"B","birth_date":"1980-01-01","sex":"male"}"#,
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
    ] {
        let answer = send(body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
        assert_eq!(
            answer.headers["content-type"], "application/problem+json",
            "{body}"
        );
        assert!(
            answer.body["detail"]
                .as_str()
                .is_some_and(|detail| !detail.is_empty()),
            "{body}"
        );
    }
    for path in [
        "/api/patients/not-an-id",
        "/api/records/x",
        "/api/encounters/0",
    ] {
        let answer = anna.get(path).await;
        assert!(
            [StatusCode::NOT_FOUND, StatusCode::BAD_REQUEST].contains(&answer.status),
            "{path}: {}",
            answer.status
        );
        assert_eq!(
            answer.headers["content-type"], "application/problem+json",
            "{path}"
        );
    }
    assert_eq!(
        anna.get("/api/patients?cursor=rubbish").await.status,
        StatusCode::BAD_REQUEST
    );
}
