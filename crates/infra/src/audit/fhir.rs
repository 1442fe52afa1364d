//! An entry as a FHIR R4 `AuditEvent` (<https://hl7.org/fhir/R4/auditevent.html>), for hospitals that collect such.
//! One way: it is proven by the JSON Lines export, whose leaf hash it carries.

use hysio_model::audit::Outcome;
use serde_json::{Value, json};

use super::entry::{Entry, to_microseconds, write_value};

/// The resource; one a line makes an NDJSON file.
#[must_use]
pub fn fhir_audit_event(entry: &Entry) -> Value {
    let event = &entry.event;
    let mut resource = json!({
        "resourceType": "AuditEvent",
        "id": event.id.to_string(),
        "type": {
            "system": "http://terminology.hl7.org/CodeSystem/audit-event-type",
            "code": "rest",
            "display": "RESTful Operation",
        },
        "subtype": [{ "system": "urn:hysio:audit-action", "code": event.action }],
        "action": action_code(&event.action),
        "recorded": format!("{:.6}", to_microseconds(event.at)),
        "outcome": outcome_code(event.outcome),
        "agent": [{
            "who": { "identifier": { "system": "urn:hysio:actor", "value": event.actor } },
            "requestor": true,
        }],
        "source": { "observer": { "display": "Hysio" } },
        "entity": [{
            "what": { "identifier": {
                "system": format!("urn:hysio:{}", event.resource),
                "value": event.resource_id,
            }},
            "detail": details(entry),
        }],
    });
    if let Some(facility) = event.facility {
        resource["source"]["site"] = json!(facility.to_string());
    }
    resource
}

/// Create, read, update, delete or execute, by the verb that ends the action's name.
fn action_code(action: &str) -> &'static str {
    match action.rsplit('.').next().unwrap_or(action) {
        "create" | "add" | "upload" | "accept" => "C",
        "read" | "list" | "search" | "view" | "download" | "export" => "R",
        "update" | "edit" | "sign" | "save" | "change" => "U",
        "delete" | "remove" => "D",
        _ => "E",
    }
}

/// FHIR's severity: 0 success, 4 minor failure, 8 serious failure. A refusal is the system working as it should.
fn outcome_code(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "0",
        Outcome::Refused => "4",
        Outcome::Failure => "8",
    }
}

fn details(entry: &Entry) -> Value {
    let mut details = String::new();
    write_value(&mut details, &entry.event.details);
    let mut pairs = vec![json!({ "type": "details", "valueString": details })];
    if let Some(leaf) = entry.leaf {
        pairs.push(json!({ "type": "leaf-index", "valueString": leaf.index.to_string() }));
        pairs.push(json!({ "type": "leaf-hash", "valueString": leaf.hash.to_string() }));
    }
    Value::Array(pairs)
}

#[cfg(test)]
mod tests {
    use hysio_model::{audit::AuditEvent, id::FacilityId};
    use uuid::Uuid;

    use super::*;
    use crate::audit::{Leaf, leaf_hash};

    #[test]
    fn the_resource_has_what_fhir_requires() {
        let event = AuditEvent {
            id: Uuid::from_u128(7),
            at: "2026-11-23T10:00:00.5Z".parse().unwrap(),
            facility: Some(FacilityId(3)),
            actor: "worker".to_owned(),
            action: "record.sign".to_owned(),
            resource: "record".to_owned(),
            resource_id: "12".to_owned(),
            outcome: Outcome::Refused,
            details: json!({"version": 2}),
        };
        let hash = leaf_hash(&event, 5);
        let entry = Entry {
            event,
            leaf: Some(Leaf { index: 5, hash }),
        };
        let resource = fhir_audit_event(&entry);
        assert_eq!(resource["resourceType"], "AuditEvent");
        assert_eq!(resource["id"], "00000000-0000-0000-0000-000000000007");
        assert_eq!(resource["recorded"], "2026-11-23T10:00:00.500000Z");
        assert_eq!(
            (&resource["action"], &resource["outcome"]),
            (&json!("U"), &json!("4"))
        );
        assert!(resource["type"]["code"].is_string() && resource["type"]["system"].is_string());
        assert_eq!(resource["agent"][0]["requestor"], true);
        assert_eq!(resource["agent"][0]["who"]["identifier"]["value"], "worker");
        assert_eq!(resource["source"]["site"], "3");
        assert!(resource["source"]["observer"].is_object());
        let detail = &resource["entity"][0]["detail"];
        assert_eq!(detail[0]["valueString"], r#"{"version":2}"#);
        assert_eq!(detail[2]["valueString"], hash.to_string());
    }
}
