use hysio_model::id::FacilityId;

use super::*;
use crate::cipher::IndexRoot;

fn keys(versions: &[u32]) -> Arc<FacilityKeys> {
    let facility = FacilityId(1);
    let index = IndexRoot::generate().for_facility(facility);
    let data_keys = versions
        .iter()
        .map(|version| DataKey::generate(facility, *version))
        .collect();
    Arc::new(FacilityKeys::new(facility, data_keys, index).unwrap())
}

fn place() -> Place {
    Place::new("recordings", "audio", 7)
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length)
        .map(|i| u8::try_from(i * 31 % 251).unwrap())
        .collect()
}

#[test]
fn a_blob_of_any_length_and_in_any_amounts_comes_back() {
    let keys = keys(&[1]);
    for length in [
        0,
        1,
        PIECE - 1,
        PIECE,
        PIECE + 1,
        2 * PIECE,
        3 * PIECE + 12_345,
    ] {
        let blob = bytes(length);
        let whole = seal_blob(&keys, &place(), &blob);
        assert_eq!(*open_blob(&keys, &place(), &whole).unwrap(), blob);
        for amount in [1000, PIECE, SEALED_PIECE + 1] {
            let mut sealed = Vec::new();
            let mut sealer = BlobSealer::new(&keys, &place(), &mut sealed);
            blob.chunks(amount)
                .for_each(|part| sealer.push(part, &mut sealed));
            sealer.finish(&mut sealed);
            assert_eq!(sealed.len(), whole.len());
            let mut opened = Vec::new();
            let mut opener = BlobOpener::new(Arc::clone(&keys), place());
            for part in sealed.chunks(amount) {
                opener.push(part, &mut opened).unwrap();
            }
            opener.finish(&mut opened).unwrap();
            assert_eq!(opened, blob, "{length} bytes by {amount}");
        }
    }
}

#[test]
fn a_blob_that_was_cut_swapped_or_changed_is_refused() {
    let keys = keys(&[1]);
    let sealed = seal_blob(&keys, &place(), &bytes(3 * PIECE + 100));
    let piece =
        |n: usize| &sealed[HEADER_BYTES + n * SEALED_PIECE..HEADER_BYTES + (n + 1) * SEALED_PIECE];
    let header = &sealed[..HEADER_BYTES];
    let tail = &sealed[HEADER_BYTES + 3 * SEALED_PIECE..];
    let refused: Vec<(&str, Vec<u8>)> = vec![
        (
            "without its last piece",
            sealed[..sealed.len() - tail.len()].to_vec(),
        ),
        ("without its last byte", sealed[..sealed.len() - 1].to_vec()),
        ("a byte too many", [&sealed[..], &[0]].concat()),
        (
            "two pieces swapped",
            [header, piece(1), piece(0), piece(2), tail].concat(),
        ),
        (
            "a piece dropped",
            [header, piece(0), piece(2), tail].concat(),
        ),
        (
            "a piece repeated",
            [header, piece(0), piece(0), piece(1), piece(2), tail].concat(),
        ),
        ("the header alone", header.to_vec()),
    ];
    for (what, blob) in refused {
        assert!(
            matches!(
                open_blob(&keys, &place(), &blob),
                Err(CipherError::Tampered { .. })
            ),
            "{what}"
        );
    }
    for at in [
        5,
        36,
        HEADER_BYTES,
        HEADER_BYTES + SEALED_PIECE - 1,
        sealed.len() - 1,
    ] {
        let mut changed = sealed.clone();
        changed[at] ^= 0x80;
        assert!(
            matches!(
                open_blob(&keys, &place(), &changed),
                Err(CipherError::Tampered { .. })
            ),
            "byte {at}"
        );
    }
}

#[test]
fn a_piece_of_another_blob_or_a_blob_of_another_row_is_refused() {
    let keys = keys(&[1]);
    let blob = bytes(2 * PIECE);
    let one = seal_blob(&keys, &place(), &blob);
    let mut other = seal_blob(&keys, &place(), &blob);
    other[HEADER_BYTES..HEADER_BYTES + SEALED_PIECE]
        .copy_from_slice(&one[HEADER_BYTES..HEADER_BYTES + SEALED_PIECE]);
    assert!(open_blob(&keys, &place(), &other).is_err());
    assert!(open_blob(&keys, &Place::new("recordings", "audio", 8), &one).is_err());
}

#[test]
fn headers_that_make_no_sense_are_named() {
    let one = keys(&[1]);
    let sealed = seal_blob(&keys(&[2]), &place(), b"audio");
    assert!(matches!(
        open_blob(&one, &place(), &sealed),
        Err(CipherError::UnknownKey { version: 2, .. })
    ));
    for bad in [&[][..], b"RIFF", &[9; 100]] {
        let error = open_blob(&one, &place(), bad).unwrap_err();
        assert!(matches!(error, CipherError::Malformed { .. }));
        assert!(
            error.to_string().contains("recordings.audio of row 7"),
            "{error}"
        );
    }
}

#[test]
fn an_older_key_still_opens() {
    let facility = FacilityId(1);
    let first = DataKey::generate(facility, 1);
    let again = DataKey::generate(facility, 2);
    let folder = tempfile::tempdir().unwrap();
    let master = crate::cipher::MasterKeys::generate_file(&folder.path().join("k")).unwrap();
    let stored = first.wrap(&master);
    let index = || IndexRoot::generate().for_facility(facility);
    let before = FacilityKeys::new(facility, vec![first], index()).unwrap();
    let sealed = seal_blob(&before, &place(), b"audio");
    let first = DataKey::unwrap(&master, &stored).unwrap();
    let after = Arc::new(FacilityKeys::new(facility, vec![first, again], index()).unwrap());
    assert_eq!(
        open_blob(&after, &place(), &sealed).unwrap().as_slice(),
        b"audio"
    );
}
