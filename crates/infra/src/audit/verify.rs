//! Proves a trail as it is read, entry by entry and checkpoint by checkpoint, in constant memory, and says what is wrong.
//!
//! Each checkpoint's frontier is proven by its signed root, so the batch after it is judged on its own: one damaged batch
//! hides nothing in the others.
//!
//! What it cannot see without a witness, an earlier checkpoint that was kept elsewhere: a trail that was cut off right
//! after a checkpoint, or written anew by someone who has the signing key.

mod report;

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use uuid::Uuid;

pub use report::{Finding, Report};

use super::{
    checkpoint::{Checkpoint, CheckpointError, StoredCheckpoint},
    entry::{Entry, leaf_hash},
    keys::VerifyingKeys,
    tree::Frontier,
};

/// More findings than these are counted, not kept.
const MAX_FINDINGS: usize = 1000;

/// Proves a trail. Feed it entries in their order and each checkpoint after the entries it covers; entries without a
/// place may come anywhere.
#[derive(Debug)]
pub struct Verifier<'a> {
    keys: &'a VerifyingKeys,
    witness: Option<Witness>,
    waiting_since: Option<Timestamp>,
    /// The index that the next entry must have.
    next: u64,
    batch: Batch,
    last_checkpoint: Option<Checkpoint>,
    after_bad_checkpoint: bool,
    /// Ranges that were skipped: first and last index.
    gaps: BTreeMap<u64, u64>,
    report: Report,
}

/// The entries since the last good checkpoint.
#[derive(Debug, Default)]
struct Batch {
    from: u64,
    /// None when an entry is missing or out of order, so that there is no root to compare.
    frontier: Option<Frontier>,
}

#[derive(Debug)]
struct Witness {
    checkpoint: Checkpoint,
    compared: bool,
}

impl<'a> Verifier<'a> {
    #[must_use]
    pub fn new(keys: &'a VerifyingKeys) -> Self {
        Self {
            keys,
            witness: None,
            waiting_since: None,
            next: 0,
            batch: Batch {
                from: 0,
                frontier: Some(Frontier::default()),
            },
            last_checkpoint: None,
            after_bad_checkpoint: false,
            gaps: BTreeMap::new(),
            report: Report::default(),
        }
    }

    /// Goes on after a checkpoint up to which everything was proven before: only what came later is to be fed.
    #[must_use]
    pub fn after(keys: &'a VerifyingKeys, proven: Checkpoint, frontier: Frontier) -> Self {
        Self {
            next: proven.size,
            batch: Batch {
                from: proven.size,
                frontier: Some(frontier),
            },
            last_checkpoint: Some(proven),
            ..Self::new(keys)
        }
    }

    /// Holds the trail against a checkpoint that was kept elsewhere; `note` is its signed note.
    ///
    /// # Errors
    /// When the witness itself is not one of this trail's checkpoints.
    pub fn with_witness(mut self, note: &str) -> Result<Self, CheckpointError> {
        let checkpoint = Checkpoint::open(note, self.keys)?;
        self.witness = Some(Witness {
            checkpoint,
            compared: false,
        });
        self.compare_with_witness();
        Ok(self)
    }

    /// Reports entries that have waited longer than `bound` for their place. Without it, all waiting entries are fine.
    #[must_use]
    pub fn with_waiting_bound(mut self, now: Timestamp, bound: Duration) -> Self {
        self.waiting_since = now.checked_sub(bound).ok();
        self
    }

    pub fn entry(&mut self, entry: &Entry) {
        self.report.entries += 1;
        let id = entry.event.id;
        let Some(leaf) = entry.leaf else {
            return self.waiting_entry(id, entry.event.at);
        };
        if leaf_hash(&entry.event, leaf.index) != leaf.hash {
            self.find(Finding::Changed {
                index: leaf.index,
                id,
            });
        }
        if leaf.index < self.next {
            return self.late_entry(leaf.index, id);
        }
        if leaf.index > self.next {
            self.skip_to(leaf.index);
        }
        if let Some(frontier) = &mut self.batch.frontier {
            frontier.push(leaf.hash);
        }
        self.next = leaf.index.saturating_add(1);
        self.compare_with_witness();
    }

    pub fn checkpoint(&mut self, stored: &StoredCheckpoint) {
        self.report.checkpoints += 1;
        let size = stored.size;
        let checkpoint = match stored.open_note(self.keys) {
            Ok(checkpoint) => checkpoint,
            Err(why) => return self.bad_checkpoint(size, &why),
        };
        let last = self.last_checkpoint.as_ref();
        let follows =
            self.after_bad_checkpoint || checkpoint.previous == last.map(Checkpoint::hash);
        let is_behind = size < self.next || last.is_some_and(|last| size < last.size);
        if !follows || is_behind {
            self.find(Finding::CheckpointOutOfChain { size });
        }
        if is_behind {
            // What it covers was judged already, or will be by the next one.
            return;
        }
        if size > self.next {
            self.skip_to(size);
        }
        self.close_batch(&checkpoint, stored);
        self.after_bad_checkpoint = false;
        self.last_checkpoint = Some(checkpoint);
        self.compare_with_witness();
    }

    /// The report, once everything was fed.
    #[must_use]
    pub fn finish(mut self) -> Report {
        for (from, to) in std::mem::take(&mut self.gaps) {
            self.find(Finding::Missing { from, to });
        }
        let signed = self.last_checkpoint.as_ref().map_or(0, |last| last.size);
        if self.next > signed {
            self.find(Finding::NotSigned {
                from: signed,
                to: self.next - 1,
            });
        }
        if let Some(witness) = self.witness.take().filter(|witness| !witness.compared) {
            let witnessed = witness.checkpoint.size;
            self.find(if self.next < witnessed {
                Finding::ShorterThanWitnessed {
                    size: self.next,
                    witnessed,
                }
            } else {
                Finding::WitnessNotReached { size: witnessed }
            });
        }
        if let Some(last) = self.last_checkpoint {
            self.report.size = last.size;
            self.report.root = Some(last.root);
            self.report.signed_at = Some(last.at);
        }
        self.report.findings.sort_by_key(Finding::place);
        self.report
    }

    fn waiting_entry(&mut self, id: Uuid, at: Timestamp) {
        if self.waiting_since.is_some_and(|since| at < since) {
            self.find(Finding::NotSequenced { id, at });
        } else {
            self.report.waiting += 1;
        }
    }

    /// Compares the batch's entries with the signed root, and begins the next batch from what is proven.
    fn close_batch(&mut self, checkpoint: &Checkpoint, stored: &StoredCheckpoint) {
        let from = self.batch.from;
        let mut found = self.batch.frontier.take();
        if found
            .as_ref()
            .is_some_and(|found| found.root() != checkpoint.root)
        {
            found = None;
            let to = checkpoint.size.saturating_sub(1);
            self.find(Finding::ChangedWithHash { from, to });
        }
        let frontier = match stored.open_frontier(checkpoint) {
            Ok(frontier) => Some(frontier),
            Err(why) => {
                let size = checkpoint.size;
                self.find(Finding::BadCheckpoint {
                    size,
                    why: why.to_string(),
                });
                found
            }
        };
        self.batch = Batch {
            from: checkpoint.size,
            frontier,
        };
    }

    fn bad_checkpoint(&mut self, size: u64, why: &CheckpointError) {
        // The next one names a checkpoint that cannot be read: that is this finding, not another.
        self.after_bad_checkpoint = true;
        self.find(Finding::BadCheckpoint {
            size,
            why: why.to_string(),
        });
    }

    /// An entry whose place was passed: it fills a gap, or claims a place that is taken.
    fn late_entry(&mut self, index: u64, id: Uuid) {
        let gap = self
            .gaps
            .range(..=index)
            .next_back()
            .map(|(from, to)| (*from, *to));
        match gap.filter(|(_, to)| index <= *to) {
            None => self.find(Finding::Inserted { index, id }),
            Some((from, to)) => {
                self.gaps.remove(&from);
                if from < index {
                    self.gaps.insert(from, index - 1);
                }
                if index < to {
                    self.gaps.insert(index + 1, to);
                }
                self.find(Finding::OutOfOrder { index, id });
            }
        }
    }

    fn skip_to(&mut self, index: u64) {
        self.batch.frontier = None;
        if self.gaps.len() < MAX_FINDINGS {
            self.gaps.insert(self.next, index - 1);
        } else {
            self.find(Finding::Missing {
                from: self.next,
                to: index - 1,
            });
        }
        self.next = index;
    }

    fn compare_with_witness(&mut self) {
        let Some(witness) = &mut self.witness else {
            return;
        };
        let Some(frontier) = &self.batch.frontier else {
            return;
        };
        if witness.compared || frontier.size() != witness.checkpoint.size {
            return;
        }
        witness.compared = true;
        let size = witness.checkpoint.size;
        if frontier.root() != witness.checkpoint.root {
            self.find(Finding::NotTheWitnessed { size });
        }
    }

    pub(super) fn find(&mut self, finding: Finding) {
        if self.report.findings.len() < MAX_FINDINGS {
            self.report.findings.push(finding);
        } else {
            self.report.more_findings += 1;
        }
    }
}

#[cfg(test)]
mod tests;
