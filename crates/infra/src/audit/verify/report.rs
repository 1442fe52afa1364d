//! What proving a trail found, in words for people.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::audit::Hash;

/// One thing that is wrong with a trail. Places are leaf indexes, from 0; ranges include both ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "finding")]
pub enum Finding {
    /// The entry is not what it was when it got its leaf hash.
    Changed { index: u64, id: Uuid },
    /// The leaf hashes of these entries do not lead to the signed root: one was changed together with its hash.
    ChangedWithHash { from: u64, to: u64 },
    /// Entries are not there.
    Missing { from: u64, to: u64 },
    /// A second entry claims a place that is taken.
    Inserted { index: u64, id: Uuid },
    /// The entry comes later than its place.
    OutOfOrder { index: u64, id: Uuid },
    /// No checkpoint covers these entries: they were added behind the log's back, or checkpoints were removed.
    NotSigned { from: u64, to: u64 },
    /// The entry was written long ago and never got its place.
    NotSequenced { id: Uuid, at: Timestamp },
    /// The checkpoint does not prove itself.
    BadCheckpoint { size: u64, why: String },
    /// The checkpoint does not follow the one before it: one was removed, added or moved.
    CheckpointOutOfChain { size: u64 },
    /// The trail is not the one that the witness saw.
    NotTheWitnessed { size: u64 },
    /// The trail is shorter than when the witness saw it.
    ShorterThanWitnessed { size: u64, witnessed: u64 },
    /// What was wrong elsewhere keeps the trail from being compared with the witness.
    WitnessNotReached { size: u64 },
    /// The export has no end line.
    ExportCutOff,
    /// The export's end line counts other lines than there are.
    ExportMiscounted { said: u64, found: u64 },
}

/// The outcome of proving a trail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    pub entries: u64,
    pub checkpoints: u64,
    /// Entries that wait for their place, and not for too long.
    pub waiting: u64,
    /// The last checkpoint that proves itself.
    pub size: u64,
    pub root: Option<Hash>,
    pub signed_at: Option<Timestamp>,
    /// Sorted by place.
    pub findings: Vec<Finding>,
    /// How many more there were.
    pub more_findings: u64,
}

impl Report {
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.findings.is_empty()
    }
}

impl Finding {
    /// Where in the trail it is, to sort by.
    pub(super) fn place(&self) -> u64 {
        match self {
            Self::Changed { index, .. }
            | Self::Inserted { index, .. }
            | Self::OutOfOrder { index, .. } => *index,
            Self::ChangedWithHash { from, .. }
            | Self::Missing { from, .. }
            | Self::NotSigned { from, .. } => *from,
            Self::BadCheckpoint { size, .. }
            | Self::CheckpointOutOfChain { size }
            | Self::NotTheWitnessed { size }
            | Self::ShorterThanWitnessed { size, .. }
            | Self::WitnessNotReached { size } => *size,
            Self::NotSequenced { .. } | Self::ExportCutOff | Self::ExportMiscounted { .. } => {
                u64::MAX
            }
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { index, id } => {
                write!(f, "entry {index} ({id}) was changed after it was written")
            }
            Self::ChangedWithHash { from, to } => write!(
                f,
                "among entries {from} to {to}, one was changed together with its hash: they do not lead to the signed root"
            ),
            Self::Missing { from, to } if from == to => write!(f, "entry {from} is missing"),
            Self::Missing { from, to } => write!(f, "entries {from} to {to} are missing"),
            Self::Inserted { index, id } => {
                write!(
                    f,
                    "entry {id} was inserted: another one has its place, {index}"
                )
            }
            Self::OutOfOrder { index, id } => {
                write!(
                    f,
                    "entry {index} ({id}) is out of order: it comes after later ones"
                )
            }
            Self::NotSigned { from, to } => write!(
                f,
                "entries {from} to {to} are covered by no checkpoint: they were added, or checkpoints were removed"
            ),
            Self::NotSequenced { id, at } => {
                write!(
                    f,
                    "entry {id} of {at} never got its place: the sequencer does not run, or it was added"
                )
            }
            Self::BadCheckpoint { size, why } => {
                write!(f, "the checkpoint at size {size} cannot be trusted: {why}")
            }
            Self::CheckpointOutOfChain { size } => write!(
                f,
                "the checkpoint at size {size} does not follow the one before it: one was removed, added or moved"
            ),
            Self::NotTheWitnessed { size } => write!(
                f,
                "the first {size} entries are not those that the witness saw: the trail was written anew"
            ),
            Self::ShorterThanWitnessed { size, witnessed } => write!(
                f,
                "the trail has {size} entries, and had {witnessed} when the witness saw it: its end was cut off"
            ),
            Self::WitnessNotReached { size } => write!(
                f,
                "the trail could not be compared with the witness at size {size}, because of what else is wrong"
            ),
            Self::ExportCutOff => write!(f, "the export ends without its end line: it was cut off"),
            Self::ExportMiscounted { said, found } => write!(
                f,
                "the export says that it has {said} entries and checkpoints, and has {found}: lines were removed or added"
            ),
        }
    }
}
