//! Master keys: the file an operator keeps, and the wrapping of every other key under them.
//!
//! The file has one key a line, 32 bytes in base64 or hex; `#` starts a comment. The first key wraps, all unwrap, so a
//! master key is rotated by putting a new one on top and wrapping the stored keys again.

mod sealed_file;

use std::{
    fmt,
    path::{Path, PathBuf},
};

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use hysio_model::id::FacilityId;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use super::aead::{AeadKey, KEY_BYTES, NONCE_BYTES, Secret, TAG_BYTES, bind};
use crate::secret_file::{self, SecretFileError};

const WHAT: &str = "master key";
const MAX_KEYS: usize = 16;
const WRAP_LABEL: &[u8] = b"hysio wrapped key 1";
const ID_LABEL: &[u8] = b"hysio master key id";
const CHECK: Secret = Secret(*b"hysio: this master key is right.");

#[derive(Debug, Error)]
pub enum KeyError {
    #[error(transparent)]
    File(#[from] SecretFileError),
    #[error(
        "line {line} of the master key file {} is not 32 bytes in base64 or hex: write a key with `openssl rand -base64 32`",
        path.display()
    )]
    BadLine { path: PathBuf, line: usize },
    #[error("the master key file {} has no key in it", path.display())]
    NoKey { path: PathBuf },
    #[error("the master key file {} has the key {id} twice: remove one", path.display())]
    Twice { path: PathBuf, id: String },
    #[error("the master key file {} has more than {MAX_KEYS} keys: remove those that wrap nothing any more", path.display())]
    TooMany { path: PathBuf },
    #[error(
        "the master key in {} does not open this database's keys (they were made with key id {made_with}; the file holds {}): \
         put the key with that id into the file",
        path.display(), held.join(", ")
    )]
    WrongMasterKey {
        path: PathBuf,
        made_with: String,
        held: Vec<String>,
    },
    #[error(
        "the stored {purpose} key, version {version}, of facility {facility} was changed or moved: restore it from a backup"
    )]
    Tampered {
        purpose: KeyPurpose,
        facility: FacilityId,
        version: u32,
    },
    #[error("facility {facility} has no data key: create its first one")]
    NoDataKey { facility: FacilityId },
    #[error(
        "the keys of facility {facility} cannot be used together: version {version} is there twice or is another facility's"
    )]
    Mismatched { facility: FacilityId, version: u32 },
}

/// What a wrapped key is for. It is bound to the key, so that one cannot stand in for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyPurpose {
    /// Encrypts the data of one facility.
    Data,
    /// The root of all blind indexes.
    Index,
    /// The known value that shows whether the master key is right.
    Check,
}

impl KeyPurpose {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Index => "index",
            Self::Check => "check",
        }
    }
}

impl fmt::Display for KeyPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A key as it is stored: useless without the master key, and only valid for its purpose, facility and version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey {
    pub purpose: KeyPurpose,
    /// 0 for what belongs to the platform.
    pub facility: FacilityId,
    pub version: u32,
    /// The master key it is wrapped under: 16 hex digits.
    pub master_key_id: String,
    /// Nonce (12), ciphertext (32), tag (16).
    pub bytes: Vec<u8>,
}

/// The platform's own number in places where a facility is expected.
pub(super) const PLATFORM: FacilityId = FacilityId(0);

/// The master keys of one file. The first wraps, all unwrap.
#[derive(Debug)]
pub struct MasterKeys {
    path: PathBuf,
    keys: Vec<MasterKey>,
}

#[derive(Debug)]
struct MasterKey {
    id: String,
    key: AeadKey,
}

impl MasterKeys {
    /// Reads the key file.
    ///
    /// # Errors
    /// When it is missing, unreadable, open to other users, or holds anything but distinct 32-byte keys. Each message
    /// names the file and what to do.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let text = secret_file::read(WHAT, path)?;
        let mut keys: Vec<MasterKey> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            if keys.len() == MAX_KEYS {
                return Err(KeyError::TooMany {
                    path: path.to_owned(),
                });
            }
            let key = MasterKey::new(&decode(line).ok_or_else(|| KeyError::BadLine {
                path: path.to_owned(),
                line: index + 1,
            })?);
            if keys.iter().any(|known| known.id == key.id) {
                return Err(KeyError::Twice {
                    path: path.to_owned(),
                    id: key.id,
                });
            }
            keys.push(key);
        }
        if keys.is_empty() {
            return Err(KeyError::NoKey {
                path: path.to_owned(),
            });
        }
        Ok(Self {
            path: path.to_owned(),
            keys,
        })
    }

    /// Writes a new key file with one random key and mode 0600, and loads it. Never overwrites a file.
    ///
    /// # Errors
    /// When the file is there already or cannot be written.
    pub fn generate_file(path: &Path) -> Result<Self, KeyError> {
        let key = Zeroizing::new(BASE64.encode(Secret::generate().0));
        let text = Zeroizing::new(format!(
            "# Master key of a Hysio installation. Without it, no patient data can be read: keep a copy elsewhere.\n\
             # To rotate, put a new key (openssl rand -base64 32) on a line above this one.\n{}\n",
            key.as_str()
        ));
        secret_file::create(WHAT, path, &text)?;
        Self::load(path)
    }

    /// The id of the key that wraps.
    #[must_use]
    pub fn current_id(&self) -> &str {
        &self.keys[0].id
    }

    /// A value to store when the database is first set up; see [`MasterKeys::verify_against`].
    #[must_use]
    pub fn check_value(&self) -> WrappedKey {
        self.wrap(KeyPurpose::Check, PLATFORM, 0, &CHECK)
    }

    /// Whether these are the master keys that the stored check value was made with. To be called at start.
    ///
    /// # Errors
    /// [`KeyError::WrongMasterKey`] with the file and the key id that is needed; [`KeyError::Tampered`].
    pub fn verify_against(&self, check_value: &WrappedKey) -> Result<(), KeyError> {
        let opened = self.unwrap(KeyPurpose::Check, check_value)?;
        if opened.0 == CHECK.0 {
            Ok(())
        } else {
            Err(tampered(check_value))
        }
    }

    /// Whether a stored key is still under an older master key.
    #[must_use]
    pub fn is_outdated(&self, wrapped: &WrappedKey) -> bool {
        wrapped.master_key_id != self.current_id()
    }

    /// The same key under the current master key.
    ///
    /// # Errors
    /// As [`MasterKeys::verify_against`].
    pub fn rewrap(&self, wrapped: &WrappedKey) -> Result<WrappedKey, KeyError> {
        let secret = self.unwrap(wrapped.purpose, wrapped)?;
        Ok(self.wrap(wrapped.purpose, wrapped.facility, wrapped.version, &secret))
    }

    pub(super) fn wrap(
        &self,
        purpose: KeyPurpose,
        facility: FacilityId,
        version: u32,
        secret: &Secret,
    ) -> WrappedKey {
        let master = &self.keys[0];
        let (nonce, sealed) = master
            .key
            .seal(&wrap_aad(purpose, facility, version, &master.id), &secret.0);
        WrappedKey {
            purpose,
            facility,
            version,
            master_key_id: master.id.clone(),
            bytes: [&nonce[..], &sealed].concat(),
        }
    }

    pub(super) fn unwrap(
        &self,
        purpose: KeyPurpose,
        wrapped: &WrappedKey,
    ) -> Result<Secret, KeyError> {
        let master = self
            .keys
            .iter()
            .find(|key| key.id == wrapped.master_key_id)
            .ok_or_else(|| KeyError::WrongMasterKey {
                path: self.path.clone(),
                made_with: wrapped.master_key_id.clone(),
                held: self.keys.iter().map(|key| key.id.clone()).collect(),
            })?;
        open_wrapped(master, purpose, wrapped).ok_or_else(|| tampered(wrapped))
    }
}

impl MasterKey {
    fn new(secret: &Secret) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(ID_LABEL);
        context.update(&secret.0);
        Self {
            id: hex::encode(&context.finish().as_ref()[..8]),
            key: AeadKey::new(secret),
        }
    }
}

fn open_wrapped(master: &MasterKey, purpose: KeyPurpose, wrapped: &WrappedKey) -> Option<Secret> {
    if wrapped.bytes.len() != NONCE_BYTES + KEY_BYTES + TAG_BYTES {
        return None;
    }
    let (nonce, sealed) = wrapped.bytes.split_first_chunk()?;
    let aad = wrap_aad(purpose, wrapped.facility, wrapped.version, &master.id);
    let opened = Zeroizing::new(master.key.open(*nonce, &aad, sealed)?);
    let mut secret = Secret([0; KEY_BYTES]);
    secret.0.copy_from_slice(&opened);
    Some(secret)
}

fn wrap_aad(purpose: KeyPurpose, facility: FacilityId, version: u32, master_id: &str) -> Vec<u8> {
    bind(&[
        WRAP_LABEL,
        purpose.as_str().as_bytes(),
        &facility.0.to_be_bytes(),
        &version.to_be_bytes(),
        master_id.as_bytes(),
    ])
}

fn tampered(wrapped: &WrappedKey) -> KeyError {
    KeyError::Tampered {
        purpose: wrapped.purpose,
        facility: wrapped.facility,
        version: wrapped.version,
    }
}

/// 64 hex digits or 44 characters of base64; their lengths tell them apart.
fn decode(text: &str) -> Option<Secret> {
    let bytes = Zeroizing::new(match text.len() {
        64 => hex::decode(text).ok()?,
        _ => BASE64.decode(text).ok()?,
    });
    let mut array = <[u8; KEY_BYTES]>::try_from(bytes.as_slice()).ok()?;
    let secret = Secret(array);
    array.zeroize();
    Some(secret)
}

#[cfg(test)]
mod tests;
