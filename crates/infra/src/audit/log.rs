//! The log's writing end: gives entries their places and signs the tree after each batch.
//!
//! One writer at a time, which the caller ensures by a lock in the database that stores the result.

use hysio_model::audit::AuditEvent;
use jiff::Timestamp;

use super::{
    checkpoint::{Checkpoint, CheckpointError, StoredCheckpoint},
    entry::{Leaf, leaf_hash},
    keys::SigningKeys,
    tree::{Frontier, Hash},
};

/// The state of the log between two batches.
#[derive(Clone, Debug, Default)]
pub struct Log {
    frontier: Frontier,
    previous: Option<Hash>,
}

impl Log {
    /// Goes on after the last stored checkpoint, or begins the log when there is none.
    ///
    /// # Errors
    /// When the checkpoint does not prove itself: nothing may be appended to a log that was tampered with.
    pub fn resume(
        last: Option<&StoredCheckpoint>,
        keys: &SigningKeys,
    ) -> Result<Self, CheckpointError> {
        let Some(last) = last else {
            return Ok(Self::default());
        };
        let (checkpoint, frontier) = last.open(keys.verifying())?;
        Ok(Self {
            frontier,
            previous: Some(checkpoint.hash()),
        })
    }

    /// How many entries the log has, which is the next entry's index.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Gives an entry the next place.
    pub fn append(&mut self, event: &AuditEvent) -> Leaf {
        let index = self.frontier.size();
        let hash = leaf_hash(event, index);
        self.frontier.push(hash);
        Leaf { index, hash }
    }

    /// Signs what the log is now, after each batch and in its transaction.
    pub fn sign(&mut self, keys: &SigningKeys, at: Timestamp) -> StoredCheckpoint {
        let checkpoint = Checkpoint {
            origin: keys.origin().to_owned(),
            size: self.frontier.size(),
            root: self.frontier.root(),
            at,
            previous: self.previous,
        };
        self.previous = Some(checkpoint.hash());
        StoredCheckpoint::new(&checkpoint, &self.frontier, keys)
    }
}
