//! An entry's bytes and its leaf hash.
//!
//! The bytes are canonical JSON: members sorted by name, no white space, times in microseconds (what the database keeps),
//! `leaf_index` and the format's version `v` among them. Strings are escaped as in RFC 8785; numbers are written in full,
//! without an exponent, where RFC 8785 would round integers beyond 2^53.

use std::fmt::Write;

use hysio_model::audit::AuditEvent;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use super::tree::Hash;

/// An entry as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub event: AuditEvent,
    /// None until the sequencer has given it its place.
    pub leaf: Option<Leaf>,
}

/// An entry's place in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    /// From 0, without gaps.
    pub index: u64,
    pub hash: Hash,
}

/// The hash of an entry at its place. The place is part of it, so that two entries cannot be swapped.
#[must_use]
pub fn leaf_hash(event: &AuditEvent, index: u64) -> Hash {
    Hash::of_leaf(canonical(event, index).as_bytes())
}

/// The bytes that are hashed.
#[must_use]
pub fn canonical(event: &AuditEvent, index: u64) -> String {
    let mut out = String::with_capacity(384);
    out.push_str("{\"action\":");
    write_string(&mut out, &event.action);
    out.push_str(",\"actor\":");
    write_string(&mut out, &event.actor);
    let at = to_microseconds(event.at);
    write!(out, ",\"at\":\"{at:.6}\",\"details\":").expect("a String takes all");
    write_value(&mut out, &event.details);
    match event.facility {
        Some(facility) => write!(out, ",\"facility\":{facility}"),
        None => write!(out, ",\"facility\":null"),
    }
    .expect("a String takes all");
    write!(
        out,
        ",\"id\":\"{}\",\"leaf_index\":{index},\"outcome\":",
        event.id
    )
    .expect("a String takes all");
    write_string(&mut out, event.outcome.as_str());
    out.push_str(",\"resource\":");
    write_string(&mut out, &event.resource);
    out.push_str(",\"resource_id\":");
    write_string(&mut out, &event.resource_id);
    out.push_str(",\"v\":1}");
    out
}

/// A time as the database keeps it: later digits are cut off.
pub(super) fn to_microseconds(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).expect("rounding towards 1970 stays in range")
}

/// A value in its one form. It is as deep as the JSON parser lets it be, which is 128 levels.
pub(super) fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(out, number),
        Value::String(text) => write_string(out, text),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                write_value(out, item);
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by(|(one, _), (other, _)| {
                one.encode_utf16().cmp(other.encode_utf16())
            });
            out.push('{');
            for (at, (name, member)) in members.into_iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                write_string(out, name);
                out.push(':');
                write_value(out, member);
            }
            out.push('}');
        }
    }
}

/// The same text for 1000, 1000.0 and 1e3, as the database gives back any of these for any other.
fn write_number(out: &mut String, number: &Number) {
    match number.as_f64().filter(|_| number.is_f64()) {
        Some(0.0) => out.push('0'),
        Some(float) => write!(out, "{float}").expect("a String takes all"),
        None => write!(out, "{number}").expect("a String takes all"),
    }
}

fn write_string(out: &mut String, text: &str) {
    let quoted = serde_json::to_string(text).expect("text is always JSON");
    out.push_str(&quoted);
}

#[cfg(test)]
mod tests {
    use hysio_model::{audit::Outcome, id::FacilityId};
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn event() -> AuditEvent {
        AuditEvent {
            id: Uuid::from_u128(7),
            at: "2026-11-23T10:00:00.123456789Z".parse().unwrap(),
            facility: Some(FacilityId(3)),
            actor: "worker".to_owned(),
            action: "record.sign".to_owned(),
            resource: "record".to_owned(),
            resource_id: "12".to_owned(),
            outcome: Outcome::Success,
            details: json!({"b": [1, null, true], "a": "é\n\u{1}\"", "n": 1000.0}),
        }
    }

    #[test]
    fn the_bytes_are_those_that_are_documented() {
        assert_eq!(
            canonical(&event(), 41),
            r#"{"action":"record.sign","actor":"worker","at":"2026-11-23T10:00:00.123456Z","details":{"a":"é\n\u0001\"","b":[1,null,true],"n":1000},"facility":3,"id":"00000000-0000-0000-0000-000000000007","leaf_index":41,"outcome":"success","resource":"record","resource_id":"12","v":1}"#
        );
        let parsed: Value = serde_json::from_str(&canonical(&event(), 41)).unwrap();
        let mut again = String::new();
        write_value(&mut again, &parsed);
        assert_eq!(again, canonical(&event(), 41));
    }

    #[test]
    fn every_field_and_the_place_are_in_the_hash() {
        let original = leaf_hash(&event(), 41);
        let changes: [fn(&mut AuditEvent); 9] = [
            |e| e.id = Uuid::from_u128(8),
            |e| e.at = "2026-11-23T10:00:00.123457Z".parse().unwrap(),
            |e| e.facility = None,
            |e| e.actor.push('x'),
            |e| e.action.push('x'),
            |e| e.resource.push('x'),
            |e| e.resource_id.push('x'),
            |e| e.outcome = Outcome::Refused,
            |e| e.details = json!({}),
        ];
        for (at, change) in changes.into_iter().enumerate() {
            let mut changed = event();
            change(&mut changed);
            assert_ne!(leaf_hash(&changed, 41), original, "change {at}");
        }
        assert_ne!(leaf_hash(&event(), 42), original);
    }

    #[test]
    fn what_the_database_may_write_otherwise_hashes_the_same() {
        let mut cut = event();
        cut.at = "2026-11-23T10:00:00.123456Z".parse().unwrap();
        assert_eq!(leaf_hash(&cut, 1), leaf_hash(&event(), 1));
        let number = |text: &str| {
            let mut out = String::new();
            write_value(&mut out, &serde_json::from_str(text).unwrap());
            out
        };
        for (one, other) in [
            ("1e3", "1000"),
            ("1000.0", "1000"),
            ("-0.0", "0"),
            ("1e19", "10000000000000000000"),
            ("0.10", "0.1"),
        ] {
            assert_eq!(number(one), number(other));
        }
        assert_ne!(number("9007199254740993"), number("9007199254740992"));
    }
}
