//! The audit trail: entries as the leaves of a Merkle tree (RFC 6962), whose root is signed after every batch.
//!
//! ```text
//! change + entry, one transaction ─▶ sequencer: Log::append, Log::sign ─▶ leaf hash a row, checkpoint a batch
//!                                                      export ─▶ Verifier ─▶ Report: what was changed, and where
//! ```
//!
//! Everything here is pure, so that an export is proven anywhere, without the database. The formats are written down in
//! `docs/adr/0004-audit-trail.md`.
//!
//! Deliberately absent: storing, ordering and exporting rows, which are the database's.

mod checkpoint;
mod entry;
mod export;
mod fhir;
mod keys;
mod log;
mod proof;
mod tree;
mod verify;

pub use checkpoint::{Checkpoint, CheckpointError, StoredCheckpoint};
pub use entry::{Entry, Leaf, canonical, leaf_hash};
pub use export::{ExportCheck, ExportError, Exporter, for_each_entry, verify_export};
pub use fhir::fhir_audit_event;
pub use keys::{SigningKeyError, SigningKeys, VerifyingKeys};
pub use log::Log;
pub use proof::{consistency_proof, inclusion_proof, verify_consistency, verify_inclusion};
pub use tree::{Frontier, Hash};
pub use verify::{Finding, Report, Verifier};
