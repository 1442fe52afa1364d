use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::cipher::{DataKey, IndexRoot, aead::Secret};

fn keys(facility: i32, versions: &[u32]) -> FacilityKeys {
    let facility = FacilityId(facility);
    let data_keys = versions
        .iter()
        .map(|version| DataKey::generate(facility, *version))
        .collect();
    FacilityKeys::new(
        facility,
        data_keys,
        IndexRoot::generate().for_facility(facility),
    )
    .unwrap()
}

fn place() -> Place {
    Place::new("patients", "name", 7)
}

proptest! {
    #[test]
    fn whatever_is_sealed_comes_back_and_is_never_sealed_the_same_way_twice(
        value in proptest::collection::vec(any::<u8>(), 0..300)
    ) {
        let keys = keys(1, &[1]);
        let sealed = keys.seal(&place(), &value);
        let opened = keys.open(&place(), &sealed).unwrap();
        prop_assert_eq!(opened.expose(), &value);
        prop_assert_ne!(keys.seal(&place(), &value), sealed);
    }

    #[test]
    fn any_changed_byte_is_refused(at in 0usize..42, flip in 1u8..) {
        let keys = keys(1, &[1]);
        let mut sealed = keys.seal(&place(), b"Jansen 12");
        prop_assert_eq!(sealed.len(), 42);
        sealed[at] ^= flip;
        prop_assert!(keys.open(&place(), &sealed).is_err());
    }

    #[test]
    fn noise_is_refused_without_a_panic(noise in proptest::collection::vec(any::<u8>(), 0..80)) {
        prop_assert!(keys(1, &[1]).open(&place(), &noise).is_err());
    }
}

#[test]
fn a_value_that_was_moved_is_refused() {
    let keys = keys(1, &[1]);
    let sealed = keys.seal(&place(), b"Jansen");
    for elsewhere in [
        Place::new("patients", "name", 8),
        Place::new("patients", "address", 7),
        Place::new("encounters", "name", 7),
        Place::new("patient", "sname", 7),
    ] {
        assert_eq!(
            keys.open(&elsewhere, &sealed),
            Err(CipherError::Tampered {
                place: elsewhere.clone()
            })
        );
    }
}

#[test]
fn the_same_key_under_another_facility_or_version_opens_nothing() {
    let secret = Secret::generate();
    let keys = |facility, version| {
        let facility = FacilityId(facility);
        let key = DataKey::new(facility, version, secret.clone());
        let index = IndexRoot::generate().for_facility(facility);
        FacilityKeys::new(facility, vec![key], index).unwrap()
    };
    let sealed = keys(1, 1).seal(&place(), b"Jansen");
    assert!(keys(1, 1).open(&place(), &sealed).is_ok());
    assert!(matches!(
        keys(2, 1).open(&place(), &sealed),
        Err(CipherError::Tampered { .. })
    ));
    let mut relabelled = sealed.clone();
    relabelled[1..5].copy_from_slice(&2u32.to_be_bytes());
    assert!(matches!(
        keys(1, 2).open(&place(), &relabelled),
        Err(CipherError::Tampered { .. })
    ));
}

#[test]
fn a_version_that_is_not_loaded_is_named() {
    let sealed = keys(1, &[1, 2]).seal(&place(), b"x");
    assert_eq!(
        keys(1, &[1]).open(&place(), &sealed),
        Err(CipherError::UnknownKey {
            place: place(),
            facility: FacilityId(1),
            version: 2
        })
    );
}

#[test]
fn a_document_is_stored_as_an_envelope_and_comes_back() {
    let keys = keys(1, &[3]);
    let place = Place::new("patient_records", "medical_record", 12);
    let stored = keys
        .seal_json(&place, &json!({"assessment": "asthma"}))
        .unwrap();
    let parts: Vec<&str> = stored
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(parts, ["c", "k", "n", "v"]);
    assert_eq!((&stored["v"], &stored["k"]), (&json!(1), &json!(3)));
    assert!(!stored.to_string().contains("asthma"));
    let opened: serde_json::Value = keys.open_json(&place, &stored).unwrap();
    assert_eq!(opened, json!({"assessment": "asthma"}));
    assert!(matches!(
        keys.open_json::<serde_json::Value>(
            &Place::new("patient_records", "medical_record", 13),
            &stored
        ),
        Err(CipherError::Tampered { .. })
    ));
}

#[test]
fn a_broken_envelope_is_refused_with_its_place() {
    let keys = keys(1, &[1]);
    let place = Place::new("patient_records", "medical_record", 12);
    let good = keys.seal_json(&place, &json!("x")).unwrap();
    let changed = |key: &str, value: serde_json::Value| {
        let mut envelope = good.clone();
        envelope[key] = value;
        envelope
    };
    for bad in [
        json!(null),
        json!({"soap": "in the clear"}),
        changed("v", json!(2)),
        changed("k", json!(-1)),
        changed("n", json!("AAAA")),
        changed("c", json!("%")),
        changed("c", json!("AAAA")),
        changed("x", json!(1)),
    ] {
        let error = keys
            .open_json::<serde_json::Value>(&place, &bad)
            .unwrap_err();
        assert!(matches!(error, CipherError::Malformed { .. }), "{error}");
        assert!(
            error
                .to_string()
                .contains("patient_records.medical_record of row 12"),
            "{error}"
        );
    }
    assert!(matches!(
        keys.open_json::<serde_json::Value>(&place, &changed("k", json!(9))),
        Err(CipherError::UnknownKey { version: 9, .. })
    ));
}

#[test]
fn an_error_never_holds_the_value() {
    let keys = keys(1, &[1]);
    let not_text = keys.seal(&place(), b"Jansen \xff");
    let error = keys.open_text(&place(), &not_text).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("Jansen"));
    let stored = keys.seal_json(&place(), &json!("Jansen")).unwrap();
    let error = keys.open_json::<u32>(&place(), &stored).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("Jansen"));
    let text = Phi::new("Jansen".to_owned());
    assert_eq!(
        keys.open_text(&place(), &keys.seal_text(&place(), &text))
            .unwrap(),
        text
    );
}
