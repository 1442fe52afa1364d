use std::{fs, os::unix::fs::PermissionsExt};

use super::*;

#[test]
fn a_generated_file_loads_and_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    let made = MasterKeys::generate_file(&path).unwrap();
    assert_eq!(
        MasterKeys::load(&path).unwrap().current_id(),
        made.current_id()
    );
    assert!(matches!(
        MasterKeys::generate_file(&path),
        Err(KeyError::File(SecretFileError::Exists { .. }))
    ));
}

#[test]
fn a_wrong_master_key_is_refused_with_the_file_and_the_id_that_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let right = MasterKeys::generate_file(&folder.path().join("right")).unwrap();
    let wrong = MasterKeys::generate_file(&folder.path().join("wrong")).unwrap();
    let check = right.check_value();
    right.verify_against(&check).unwrap();
    let message = wrong.verify_against(&check).unwrap_err().to_string();
    assert!(message.contains("wrong"), "{message}");
    assert!(message.contains(right.current_id()), "{message}");
    assert!(message.contains(wrong.current_id()), "{message}");
    let claimed = WrappedKey {
        master_key_id: wrong.current_id().to_owned(),
        ..check
    };
    assert!(matches!(
        wrong.verify_against(&claimed),
        Err(KeyError::Tampered { .. })
    ));
}

#[test]
fn a_rotated_master_key_still_opens_what_the_old_one_wrapped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    let old = MasterKeys::generate_file(&path).unwrap();
    let secret = Secret::generate();
    let wrapped = old.wrap(KeyPurpose::Data, FacilityId(3), 7, &secret);

    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{}  # new\n{text}", hex::encode([9; 32]))).unwrap();
    let both = MasterKeys::load(&path).unwrap();
    assert!(both.is_outdated(&wrapped));
    let rewrapped = both.rewrap(&wrapped).unwrap();
    assert!(!both.is_outdated(&rewrapped));

    fs::write(&path, hex::encode([9; 32])).unwrap();
    let new = MasterKeys::load(&path).unwrap();
    assert_eq!(
        new.unwrap(KeyPurpose::Data, &rewrapped).unwrap().0,
        secret.0
    );
    assert!(matches!(
        new.unwrap(KeyPurpose::Data, &wrapped),
        Err(KeyError::WrongMasterKey { .. })
    ));
}

#[test]
fn a_wrapped_key_cannot_be_moved_or_changed() {
    let folder = tempfile::tempdir().unwrap();
    let keys = MasterKeys::generate_file(&folder.path().join("k")).unwrap();
    let good = keys.wrap(KeyPurpose::Data, FacilityId(3), 7, &Secret::generate());
    let mut flipped = good.bytes.clone();
    flipped[20] ^= 1;
    let bad = [
        WrappedKey {
            facility: FacilityId(4),
            ..good.clone()
        },
        WrappedKey {
            version: 8,
            ..good.clone()
        },
        WrappedKey {
            bytes: flipped,
            ..good.clone()
        },
        WrappedKey {
            bytes: good.bytes[..59].to_vec(),
            ..good.clone()
        },
        WrappedKey {
            bytes: Vec::new(),
            ..good.clone()
        },
    ];
    for wrapped in bad {
        assert!(matches!(
            keys.unwrap(KeyPurpose::Data, &wrapped),
            Err(KeyError::Tampered { .. })
        ));
    }
    assert!(keys.unwrap(KeyPurpose::Index, &good).is_err());
    assert!(keys.unwrap(KeyPurpose::Data, &good).is_ok());
}

#[test]
fn a_bad_key_file_is_refused_and_its_line_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    let short = BASE64.encode([1; 16]);
    let good = BASE64.encode([1; 32]);
    for (text, expected) in [
        (String::new(), "no key in it"),
        ("# only a comment\n".to_owned(), "no key in it"),
        (format!("{good}\n{short}\n"), "line 2"),
        ("not base64!".to_owned(), "line 1"),
        ("zz".repeat(32), "line 1"),
        (format!("{good}\n{}\n", hex::encode([1; 32])), "twice"),
        (
            (0..17).map(|i| hex::encode([i; 32]) + "\n").collect(),
            "more than 16",
        ),
    ] {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let message = MasterKeys::load(&path).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
        assert!(message.contains("master.key"), "{message}");
        assert!(!message.contains(&short), "the key is in the message");
    }
}

#[test]
fn keys_are_never_printed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("k");
    fs::write(&path, hex::encode([0xAB; 32])).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let printed = format!("{:?}", MasterKeys::load(&path).unwrap());
    assert!(
        !printed.contains("abab") && !printed.contains("171"),
        "{printed}"
    );
}
