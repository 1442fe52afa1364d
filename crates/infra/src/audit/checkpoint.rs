//! Checkpoints: signed statements of what the tree's root was at a size.
//!
//! The form is C2SP's tlog-checkpoint, a signed note, with two extension lines:
//!
//! ```text
//! hysio.example/audit                    origin
//! 1042                                   size
//! 3nZ…=                                  root, base64
//! time 2026-11-23T10:00:00.123456Z
//! previous 5d…                           SHA-256 of the signed text of the checkpoint before, or `none`
//!
//! — hysio.example/audit c2ln…=           key id (4) and Ed25519 signature (64) of the lines above the empty one
//! ```

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    entry::to_microseconds,
    keys::{SigningKeys, VerifyingKeys},
    tree::{Frontier, Hash},
};

const SIGNATURE_MARK: &str = "— ";
const NO_PREVIOUS: &str = "none";

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CheckpointError {
    #[error("it is not a checkpoint: {0}")]
    Malformed(&'static str),
    #[error("no known key of {origin} has the id that signed it")]
    UnknownKey { origin: String },
    #[error("its signature is not of its text")]
    BadSignature,
    #[error("its frontier does not lead to its root")]
    BadFrontier,
}

/// What a checkpoint says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub origin: String,
    /// How many entries the tree has.
    pub size: u64,
    pub root: Hash,
    pub at: Timestamp,
    /// The hash of the checkpoint before; none for the first.
    pub previous: Option<Hash>,
}

/// A checkpoint as it is stored and exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredCheckpoint {
    pub size: u64,
    /// The signed note.
    pub note: String,
    /// [`Frontier::to_bytes`] at that size. Not signed: it must lead to the signed root.
    #[serde(with = "hex::serde")]
    pub frontier: Vec<u8>,
}

impl Checkpoint {
    /// Reads a signed note and checks its signature.
    ///
    /// # Errors
    /// [`CheckpointError`]
    pub fn open(note: &str, keys: &VerifyingKeys) -> Result<Self, CheckpointError> {
        let (body, signatures) = split(note)?;
        let checkpoint = Self::parse(body)?;
        let origin = &checkpoint.origin;
        let unknown = || CheckpointError::UnknownKey {
            origin: origin.clone(),
        };
        let (key, signature) = signatures
            .lines()
            .filter_map(|line| parse_signature(line, origin))
            .find_map(|(id, signature)| Some((keys.find(origin, id)?, signature)))
            .ok_or_else(unknown)?;
        if key.verifies(body.as_bytes(), &signature) {
            Ok(checkpoint)
        } else {
            Err(CheckpointError::BadSignature)
        }
    }

    /// The hash by which the next checkpoint names this one.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of(&[self.body().as_bytes()])
    }

    pub(super) fn sign(&self, keys: &SigningKeys) -> String {
        let body = self.body();
        let signature = [&keys.signer().id[..], &keys.sign(body.as_bytes())].concat();
        format!(
            "{body}\n{SIGNATURE_MARK}{} {}\n",
            self.origin,
            BASE64.encode(signature)
        )
    }

    fn body(&self) -> String {
        format!(
            "{}\n{}\n{}\ntime {:.6}\nprevious {}\n",
            self.origin,
            self.size,
            BASE64.encode(self.root.0),
            to_microseconds(self.at),
            self.previous
                .map_or(NO_PREVIOUS.to_owned(), |hash| hash.to_string()),
        )
    }

    /// Reads the signed text. Only the one form of each part is taken, so that a text and its meaning are the same.
    fn parse(body: &str) -> Result<Self, CheckpointError> {
        let bad = CheckpointError::Malformed;
        let lines: Vec<&str> = body.lines().collect();
        let [origin, size, root, time, previous] = lines[..] else {
            return Err(bad("its text has not five lines"));
        };
        let root = BASE64.decode(root).ok();
        let root = root.and_then(|root| Hash::try_from(root.as_slice()).ok());
        let time = time
            .strip_prefix("time ")
            .and_then(|time| time.parse().ok());
        let previous = match previous.strip_prefix("previous ") {
            Some(NO_PREVIOUS) => Some(None),
            Some(hash) => hash.parse().ok().map(Some),
            None => None,
        };
        let checkpoint = Self {
            origin: origin.to_owned(),
            size: size.parse().map_err(|_| bad("its size is no number"))?,
            root: root.ok_or(bad("its root is no hash"))?,
            at: time.ok_or(bad("its time is no time"))?,
            previous: previous.ok_or(bad("it does not name the checkpoint before"))?,
        };
        if checkpoint.body() == body {
            Ok(checkpoint)
        } else {
            Err(bad("its text is not in the canonical form"))
        }
    }
}

impl StoredCheckpoint {
    pub(super) fn new(checkpoint: &Checkpoint, frontier: &Frontier, keys: &SigningKeys) -> Self {
        Self {
            size: checkpoint.size,
            note: checkpoint.sign(keys),
            frontier: frontier.to_bytes(),
        }
    }

    /// The checkpoint and the tree to go on with, once signature and frontier are proven.
    ///
    /// # Errors
    /// [`CheckpointError`]
    pub fn open(&self, keys: &VerifyingKeys) -> Result<(Checkpoint, Frontier), CheckpointError> {
        let checkpoint = self.open_note(keys)?;
        let frontier = self.open_frontier(&checkpoint)?;
        Ok((checkpoint, frontier))
    }

    pub(super) fn open_note(&self, keys: &VerifyingKeys) -> Result<Checkpoint, CheckpointError> {
        let checkpoint = Checkpoint::open(&self.note, keys)?;
        if checkpoint.size == self.size {
            Ok(checkpoint)
        } else {
            Err(CheckpointError::Malformed(
                "it is stored under another size than it says",
            ))
        }
    }

    pub(super) fn open_frontier(
        &self,
        checkpoint: &Checkpoint,
    ) -> Result<Frontier, CheckpointError> {
        Frontier::from_bytes(&self.frontier)
            .filter(|frontier| frontier.size() == checkpoint.size)
            .filter(|frontier| frontier.root() == checkpoint.root)
            .ok_or(CheckpointError::BadFrontier)
    }
}

/// The signed text, with its last line break, and the signature lines.
fn split(note: &str) -> Result<(&str, &str), CheckpointError> {
    let at = note.find("\n\n").ok_or(CheckpointError::Malformed(
        "it has no empty line before a signature",
    ))?;
    Ok((&note[..=at], &note[at + 2..]))
}

fn parse_signature(line: &str, origin: &str) -> Option<([u8; 4], Vec<u8>)> {
    let (name, signature) = line.strip_prefix(SIGNATURE_MARK)?.split_once(' ')?;
    let bytes = BASE64.decode(signature).ok().filter(|_| name == origin)?;
    let (id, signature) = bytes.split_first_chunk()?;
    Some((*id, signature.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> SigningKeys {
        let folder = tempfile::tempdir().unwrap();
        SigningKeys::generate_file(&folder.path().join("key"), "hysio.example/audit").unwrap()
    }

    fn stored(keys: &SigningKeys) -> (Checkpoint, StoredCheckpoint) {
        let mut frontier = Frontier::default();
        frontier.push(Hash::of_leaf(b"one"));
        let checkpoint = Checkpoint {
            origin: keys.origin().to_owned(),
            size: 1,
            root: frontier.root(),
            at: "2026-11-23T10:00:00.5Z".parse().unwrap(),
            previous: Some(Hash([9; 32])),
        };
        let stored = StoredCheckpoint::new(&checkpoint, &frontier, keys);
        (checkpoint, stored)
    }

    #[test]
    fn a_checkpoint_comes_back_from_its_note() {
        let keys = keys();
        let (checkpoint, stored) = stored(&keys);
        assert_eq!(stored.open(keys.verifying()).unwrap().0, checkpoint);
        let first = Checkpoint {
            previous: None,
            ..checkpoint
        };
        assert_eq!(
            Checkpoint::open(&first.sign(&keys), keys.verifying()),
            Ok(first)
        );
    }

    #[test]
    fn any_changed_character_is_refused() {
        let keys = keys();
        let (_, stored) = stored(&keys);
        for (at, character) in stored.note.char_indices() {
            for other in ['A', '7', '\n'] {
                if character == other {
                    continue;
                }
                let mut note = stored.note.clone();
                note.replace_range(at..at + character.len_utf8(), &other.to_string());
                let last = at + 1 == stored.note.len();
                assert!(
                    Checkpoint::open(&note, keys.verifying()).is_err() || last,
                    "at {at}: {note}"
                );
            }
        }
    }

    #[test]
    fn another_key_another_size_or_another_frontier_is_refused() {
        let keys = keys();
        let (_, stored) = stored(&keys);
        assert_eq!(
            stored.open(self::keys().verifying()).unwrap_err(),
            CheckpointError::UnknownKey {
                origin: "hysio.example/audit".to_owned()
            }
        );
        let resized = StoredCheckpoint {
            size: 2,
            ..stored.clone()
        };
        assert!(resized.open(keys.verifying()).is_err());
        let mut frontier = Frontier::default();
        frontier.push(Hash::of_leaf(b"other"));
        let moved = StoredCheckpoint {
            frontier: frontier.to_bytes(),
            ..stored
        };
        assert_eq!(
            moved.open(keys.verifying()).unwrap_err(),
            CheckpointError::BadFrontier
        );
    }
}
