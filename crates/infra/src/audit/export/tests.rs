use std::sync::LazyLock;

use hysio_model::audit::{AuditEvent, Outcome};
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::audit::{Log, SigningKeys};

static KEYS: LazyLock<SigningKeys> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    SigningKeys::generate_file(&folder.path().join("key"), "hysio.example/audit").unwrap()
});

fn at() -> Timestamp {
    "2026-11-23T10:00:00.123456789Z".parse().unwrap()
}

fn event(n: u128, details: serde_json::Value) -> AuditEvent {
    AuditEvent {
        id: Uuid::from_u128(n),
        at: at(),
        facility: None,
        actor: "worker".to_owned(),
        action: "record.read".to_owned(),
        resource: "record".to_owned(),
        resource_id: n.to_string(),
        outcome: Outcome::Success,
        details,
    }
}

fn export(events: Vec<AuditEvent>) -> String {
    let mut log = Log::default();
    let mut exporter = Exporter::new(Vec::new(), KEYS.verifying(), at()).unwrap();
    for event in events {
        let leaf = Some(log.append(&event));
        exporter.entry(&Entry { event, leaf }).unwrap();
        if log.size().is_multiple_of(2) {
            exporter.checkpoint(&log.sign(&KEYS, at())).unwrap();
        }
    }
    exporter.checkpoint(&log.sign(&KEYS, at())).unwrap();
    String::from_utf8(exporter.finish().unwrap()).unwrap()
}

fn four() -> String {
    export(
        (0..4)
            .map(|n| event(n, json!({"n": n.to_string()})))
            .collect(),
    )
}

const CHECK: ExportCheck<'_> = ExportCheck {
    keys: None,
    witness: None,
    waiting_bound: Duration::from_secs(60),
};

fn verify(export: &str) -> Result<Report, ExportError> {
    verify_export(export.as_bytes(), &CHECK)
}

fn any_details() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|v| json!(v)),
        any::<i64>().prop_map(|v| json!(v)),
        any::<u64>().prop_map(|v| json!(v)),
        proptest::num::f64::NORMAL.prop_map(|v| json!(v)),
        any::<String>().prop_map(|v| json!(v)),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|v| json!(v)),
            proptest::collection::btree_map(any::<String>(), inner, 0..4).prop_map(|v| json!(v)),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_the_details_are_an_export_proves_itself(details in proptest::collection::vec(any_details(), 0..4)) {
        let events = details.into_iter().zip(0..).map(|(details, n)| event(n, details)).collect();
        let report = verify(&export(events)).unwrap();
        prop_assert!(report.is_proven(), "{:?}", report.findings);
    }

    #[test]
    fn any_changed_character_is_noticed(at in 0usize..10_000, other in "[a-zA-Z0-9]") {
        let export = four();
        // The header tells when the export was made and with which keys; those are checked against the given ones.
        let header = export.find('\n').unwrap();
        let at = header + at % (export.len() - 1 - header);
        prop_assume!(export.is_char_boundary(at) && export.is_char_boundary(at + 1));
        prop_assume!(export[at..=at] != other);
        let mut changed = export.clone();
        changed.replace_range(at..=at, &other);
        // A hexadecimal digit in the other case says the same.
        prop_assume!(!changed.eq_ignore_ascii_case(&export));
        if let Ok(report) = verify(&changed) {
            prop_assert!(!report.is_proven(), "{}", changed);
        }
    }

    #[test]
    fn any_removed_or_repeated_line_is_noticed(at in 1usize..8, repeat in any::<bool>()) {
        let export = four();
        let mut lines: Vec<&str> = export.lines().collect();
        prop_assert_eq!(lines.len(), 9);
        if repeat {
            lines.insert(at, lines[at]);
        } else {
            lines.remove(at);
        }
        let report = verify(&lines.join("\n")).unwrap();
        prop_assert!(!report.is_proven());
    }
}

#[test]
fn an_export_that_was_cut_off_says_so() {
    let export = four();
    let lines: Vec<&str> = export.lines().collect();
    for length in 1..lines.len() {
        let report = verify(&lines[..length].join("\n")).unwrap();
        assert!(report.findings.contains(&Finding::ExportCutOff), "{length}");
    }
    assert!(matches!(verify(""), Err(ExportError::Empty)));
    assert!(matches!(
        verify(&export[..export.len() - 5]),
        Err(ExportError::BadLine { line: 9, .. })
    ));
}

#[test]
fn the_keys_that_are_given_count_and_not_those_in_the_export() {
    let folder = tempfile::tempdir().unwrap();
    let other =
        SigningKeys::generate_file(&folder.path().join("k"), "hysio.example/audit").unwrap();
    let export = four();
    let check = |keys| {
        verify_export(
            export.as_bytes(),
            &ExportCheck {
                keys: Some(keys),
                ..CHECK
            },
        )
        .unwrap()
    };
    assert!(check(KEYS.verifying()).is_proven());
    assert!(!check(other.verifying()).is_proven());
}

#[test]
fn a_file_that_is_no_export_is_refused_with_its_line() {
    let export = four();
    for (text, line) in [
        ("hello\n".to_owned(), "line 1"),
        ("{}\n".to_owned(), "line 1"),
        (export.replacen("\"entry\"", "\"entries\"", 1), "line 2"),
        (format!("{export}{{}}\n"), "line 10"),
        (
            format!("{}{}", export.lines().next().unwrap(), " ".repeat(1 << 20)),
            "line 1",
        ),
    ] {
        let message = verify(&text).unwrap_err().to_string();
        assert!(message.contains(line), "{message}");
    }
    let newer = export.replacen("\"hysio_audit_export\":1", "\"hysio_audit_export\":2", 1);
    assert!(matches!(verify(&newer), Err(ExportError::UnknownFormat(2))));
}

#[test]
fn a_witness_is_checked_against_the_export() {
    let export = four();
    let longer = self::export(
        (0..6)
            .map(|n| event(n, json!({"n": n.to_string()})))
            .collect(),
    );
    let note_of = |export: &str| {
        let line = export.lines().rev().nth(1).unwrap();
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["checkpoint"]["note"].as_str().unwrap().to_owned()
    };
    let check = |export: &str, witness: &str| {
        verify_export(
            export.as_bytes(),
            &ExportCheck {
                witness: Some(witness),
                ..CHECK
            },
        )
    };
    assert!(check(&longer, &note_of(&export)).unwrap().is_proven());
    assert_eq!(
        check(&export, &note_of(&longer)).unwrap().findings,
        [Finding::ShorterThanWitnessed {
            size: 4,
            witnessed: 6
        }]
    );
    assert!(matches!(
        check(&export, "not a note"),
        Err(ExportError::Witness(_))
    ));
}
