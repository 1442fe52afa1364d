mod mutations;

use std::sync::LazyLock;

use hysio_model::{
    audit::{AuditEvent, Outcome},
    id::FacilityId,
};
use serde_json::json;

use super::*;
use crate::audit::{Leaf, Log, SigningKeys};

static KEYS: LazyLock<SigningKeys> = LazyLock::new(new_keys);

fn new_keys() -> SigningKeys {
    let folder = tempfile::tempdir().unwrap();
    SigningKeys::generate_file(&folder.path().join("key"), "hysio.example/audit").unwrap()
}

/// A trail in the order in which it is read.
#[derive(Clone, Debug)]
struct Trail(Vec<Line>);

#[derive(Clone, Debug)]
enum Line {
    Entry(Entry),
    Checkpoint(StoredCheckpoint),
}

fn event(n: u64) -> AuditEvent {
    AuditEvent {
        id: Uuid::from_u128(u128::from(n) + 1),
        at: Timestamp::from_second(1_700_000_000 + i64::try_from(n).unwrap()).unwrap(),
        facility: (!n.is_multiple_of(3)).then_some(FacilityId(7)),
        actor: format!("user-{}", n % 5),
        action: "record.read".to_owned(),
        resource: "record".to_owned(),
        resource_id: n.to_string(),
        outcome: Outcome::Success,
        details: json!({"n": n}),
    }
}

fn write(batches: &[u64], keys: &SigningKeys, change: impl Fn(&mut AuditEvent)) -> Trail {
    let mut log = Log::resume(None, keys).unwrap();
    let mut lines = Vec::new();
    let mut last = None;
    for batch in batches {
        log = Log::resume(last.as_ref(), keys).unwrap_or(log);
        for _ in 0..*batch {
            let mut event = event(log.size());
            change(&mut event);
            let leaf = Some(log.append(&event));
            lines.push(Line::Entry(Entry { event, leaf }));
        }
        let checkpoint = log.sign(keys, Timestamp::from_second(1_800_000_000).unwrap());
        lines.push(Line::Checkpoint(checkpoint.clone()));
        last = Some(checkpoint);
    }
    Trail(lines)
}

fn trail(batches: &[u64]) -> Trail {
    write(batches, &KEYS, |_| ())
}

impl Trail {
    fn feed(&self, mut verifier: Verifier<'_>) -> Report {
        for line in &self.0 {
            match line {
                Line::Entry(entry) => verifier.entry(entry),
                Line::Checkpoint(checkpoint) => verifier.checkpoint(checkpoint),
            }
        }
        verifier.finish()
    }

    fn verify(&self) -> Report {
        self.feed(Verifier::new(KEYS.verifying()))
    }

    fn findings(&self) -> Vec<Finding> {
        self.verify().findings
    }

    fn verify_with(&self, witness: &StoredCheckpoint) -> Report {
        self.feed(
            Verifier::new(KEYS.verifying())
                .with_witness(&witness.note)
                .unwrap(),
        )
    }

    fn position(&self, index: u64) -> usize {
        self.0
            .iter()
            .position(
                |line| matches!(line, Line::Entry(e) if e.leaf.is_some_and(|l| l.index == index)),
            )
            .unwrap()
    }

    fn entry(&mut self, index: u64) -> &mut Entry {
        let at = self.position(index);
        let Line::Entry(entry) = &mut self.0[at] else {
            unreachable!()
        };
        entry
    }

    fn checkpoint_positions(&self) -> Vec<usize> {
        (0..self.0.len())
            .filter(|at| matches!(self.0[*at], Line::Checkpoint(_)))
            .collect()
    }

    fn checkpoint(&mut self, nth: usize) -> &mut StoredCheckpoint {
        let at = self.checkpoint_positions()[nth];
        let Line::Checkpoint(checkpoint) = &mut self.0[at] else {
            unreachable!()
        };
        checkpoint
    }
}

#[test]
fn damage_in_one_batch_hides_nothing_in_another() {
    let mut trail = trail(&[4, 4, 4]);
    for index in [1, 9] {
        let entry = trail.entry(index);
        entry.event.actor.push('x');
        entry.leaf = Some(Leaf {
            index,
            hash: leaf_hash(&entry.event, index),
        });
    }
    let dropped = trail.position(6);
    trail.0.remove(dropped);
    assert_eq!(
        trail.findings(),
        [
            Finding::ChangedWithHash { from: 0, to: 3 },
            Finding::Missing { from: 6, to: 6 },
            Finding::ChangedWithHash { from: 8, to: 11 },
        ]
    );
}

#[test]
fn only_a_witness_sees_an_end_cut_off_at_a_checkpoint() {
    let mut whole = trail(&[3, 3, 3]);
    let witness = whole.checkpoint(2).clone();
    assert!(whole.verify_with(&witness).is_proven());
    let shorter = trail(&[3, 3]);
    assert!(shorter.verify().is_proven());
    assert_eq!(
        shorter.verify_with(&witness).findings,
        [Finding::ShorterThanWitnessed {
            size: 6,
            witnessed: 9
        }]
    );
    let longer = trail(&[3, 3, 3, 5]);
    assert!(longer.verify_with(&witness).is_proven());
}

#[test]
fn only_a_witness_sees_a_trail_written_anew_by_the_key_holder() {
    let witness = trail(&[3, 3]).checkpoint(1).clone();
    let anew = write(&[2, 5, 2], &KEYS, |event| {
        if event.resource_id == "4" {
            event.actor = "nobody".to_owned();
        }
    });
    assert!(anew.verify().is_proven());
    assert_eq!(
        anew.verify_with(&witness).findings,
        [Finding::NotTheWitnessed { size: 6 }]
    );
    let same = trail(&[2, 5, 2]);
    assert!(
        same.verify_with(&witness).is_proven(),
        "a witness within a batch"
    );
}

#[test]
fn a_trail_signed_by_another_key_is_refused() {
    let forged = write(&[3], &new_keys(), |_| ());
    assert!(matches!(
        forged.findings()[..],
        [
            Finding::NotSigned { .. },
            Finding::BadCheckpoint { size: 3, .. }
        ]
    ));
}

#[test]
fn checkpoints_in_the_wrong_order_are_noticed() {
    let mut trail = trail(&[2, 2, 2]);
    let positions = trail.checkpoint_positions();
    trail.0.swap(positions[0], positions[1]);
    assert!(
        trail
            .findings()
            .iter()
            .any(|f| matches!(f, Finding::CheckpointOutOfChain { .. }))
    );
}

#[test]
fn an_entry_may_wait_for_its_place_but_not_too_long() {
    let mut trail = trail(&[2]);
    let waiting = event(2);
    trail.0.push(Line::Entry(Entry {
        event: waiting.clone(),
        leaf: None,
    }));
    let bound = Duration::from_secs(60);
    let after = |seconds| {
        let now = waiting
            .at
            .checked_add(Duration::from_secs(seconds))
            .unwrap();
        trail.feed(Verifier::new(KEYS.verifying()).with_waiting_bound(now, bound))
    };
    assert!(after(59).is_proven());
    assert_eq!(after(59).waiting, 1);
    assert_eq!(
        after(61).findings,
        [Finding::NotSequenced {
            id: waiting.id,
            at: waiting.at
        }]
    );
}

#[test]
fn an_empty_trail_and_an_empty_batch_are_proven() {
    assert!(Trail(Vec::new()).verify().is_proven());
    assert!(trail(&[0, 2, 0]).verify().is_proven());
}

#[test]
fn findings_are_bounded() {
    let mut trail = trail(&[3000]);
    for index in 0..3000 {
        trail.entry(index).event.actor.push('x');
    }
    let report = trail.verify();
    assert_eq!((report.findings.len(), report.more_findings), (1000, 2000));
}
