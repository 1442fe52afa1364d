//! Encryption of patient data at rest: AES-256-GCM, field by field, under a data key per facility.
//!
//! ```text
//! master key file ──wraps──▶ data keys (a facility, a version each) ──seal──▶ fields, JSON documents, audio blobs
//!                └─wraps──▶ index root ──HKDF──▶ a blind index per facility (search without decrypting)
//! ```
//!
//! Every ciphertext is bound by its additional data to the place it is stored at, so a value that was moved to another
//! row, column, table or facility does not open. The formats are written down in `docs/adr/0005-encryption.md`.
//!
//! Deliberately absent: where wrapped keys are stored, and who may read what. Both are the database's.

mod aead;
mod blind_index;
mod blob;
mod data_key;
mod field;
mod keyring;
mod master;

pub use crate::secret_file::SecretFileError;
pub use blind_index::{BlindIndex, IndexRoot, PREFIX_TOKEN_BYTES};
pub use blob::{BlobOpener, BlobSealer, open_blob, seal_blob};
pub use data_key::{DataKey, FacilityKeys};
pub use field::{CipherError, Place};
pub use keyring::Keyring;
pub use master::{KeyError, KeyPurpose, MasterKeys, WrappedKey};
