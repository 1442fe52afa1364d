//! One sealed value: a column's bytes, or a JSON document's envelope.
//!
//! Bytes: format (1) · key version (u32, big-endian) · nonce (12) · ciphertext and tag (16 longer than the value).
//! JSON: `{"v":1,"k":3,"n":"…","c":"…"}`, the same parts, in base64.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use hysio_model::{Phi, id::FacilityId};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{
    aead::{NONCE_BYTES, TAG_BYTES, bind},
    data_key::FacilityKeys,
};

const FORMAT: u8 = 1;
const FIELD_LABEL: &[u8] = b"hysio field 1";

/// Where a sealed value is stored. With the facility and the key's version it is bound to the ciphertext.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub table: &'static str,
    pub column: &'static str,
    /// The row's primary key, as text.
    pub row: String,
}

impl Place {
    #[must_use]
    pub fn new(table: &'static str, column: &'static str, row: impl fmt::Display) -> Self {
        Self {
            table,
            column,
            row: row.to_string(),
        }
    }

    pub(super) fn aad(&self, label: &[u8], facility: FacilityId, key_version: u32) -> Vec<u8> {
        bind(&[
            label,
            &facility.0.to_be_bytes(),
            self.table.as_bytes(),
            self.row.as_bytes(),
            self.column.as_bytes(),
            &key_version.to_be_bytes(),
        ])
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} of row {}", self.table, self.column, self.row)
    }
}

/// Why a sealed value does not open. None holds any of the value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CipherError {
    #[error(
        "what is stored in {place} was changed, or moved there from another row, column, table or facility"
    )]
    Tampered { place: Place },
    #[error(
        "what is stored in {place} needs version {version} of the data key of facility {facility}, which is not loaded"
    )]
    UnknownKey {
        place: Place,
        facility: FacilityId,
        version: u32,
    },
    #[error("what is stored in {place} is not a sealed value: {why}")]
    Malformed { place: Place, why: &'static str },
    #[error("what is stored in {place} opens, but is not the kind of value that belongs there")]
    UnexpectedContent { place: Place },
}

impl FacilityKeys {
    /// Seals a value for a `BYTEA` column, under the newest data key.
    #[must_use]
    pub fn seal(&self, place: &Place, value: &[u8]) -> Vec<u8> {
        self.seal_parts(place, value).to_bytes()
    }

    /// # Errors
    /// [`CipherError`], which names table, column and row.
    pub fn open(&self, place: &Place, stored: &[u8]) -> Result<Phi<Vec<u8>>, CipherError> {
        self.open_parts(place, &Sealed::from_bytes(place, stored)?)
            .map(Phi::new)
    }

    #[must_use]
    pub fn seal_text(&self, place: &Place, text: &Phi<String>) -> Vec<u8> {
        self.seal(place, text.expose().as_bytes())
    }

    /// # Errors
    /// [`CipherError`], which names table, column and row.
    pub fn open_text(&self, place: &Place, stored: &[u8]) -> Result<Phi<String>, CipherError> {
        let bytes = self.open_parts(place, &Sealed::from_bytes(place, stored)?)?;
        String::from_utf8(bytes).map(Phi::new).map_err(|refused| {
            drop(Zeroizing::new(refused.into_bytes()));
            CipherError::UnexpectedContent {
                place: place.clone(),
            }
        })
    }

    /// Seals a document as the envelope that a `JSONB` column holds.
    ///
    /// # Errors
    /// [`CipherError::UnexpectedContent`] when the document has no JSON form, such as a map with composite keys.
    pub fn seal_json<T: Serialize>(
        &self,
        place: &Place,
        document: &T,
    ) -> Result<serde_json::Value, CipherError> {
        let plain = serde_json::to_vec(document).map_err(|_| CipherError::UnexpectedContent {
            place: place.clone(),
        })?;
        let envelope = self.seal_parts(place, &Zeroizing::new(plain)).to_envelope();
        Ok(serde_json::to_value(envelope).expect("an envelope is numbers and text"))
    }

    /// # Errors
    /// [`CipherError`], which names table, column and row, and never what the document holds.
    pub fn open_json<T: DeserializeOwned>(
        &self,
        place: &Place,
        stored: &serde_json::Value,
    ) -> Result<T, CipherError> {
        let plain = Zeroizing::new(self.open_parts(place, &Sealed::from_json(place, stored)?)?);
        serde_json::from_slice(&plain).map_err(|_| CipherError::UnexpectedContent {
            place: place.clone(),
        })
    }

    fn seal_parts(&self, place: &Place, value: &[u8]) -> Sealed {
        let key = self.newest();
        let aad = place.aad(FIELD_LABEL, self.facility(), key.version());
        let (nonce, ciphertext) = key.aead.seal(&aad, value);
        Sealed {
            key_version: key.version(),
            nonce,
            ciphertext,
        }
    }

    fn open_parts(&self, place: &Place, sealed: &Sealed) -> Result<Vec<u8>, CipherError> {
        let version = sealed.key_version;
        let key = self
            .version(version)
            .ok_or_else(|| CipherError::UnknownKey {
                place: place.clone(),
                facility: self.facility(),
                version,
            })?;
        let aad = place.aad(FIELD_LABEL, self.facility(), version);
        key.aead
            .open(sealed.nonce, &aad, &sealed.ciphertext)
            .ok_or_else(|| CipherError::Tampered {
                place: place.clone(),
            })
    }
}

struct Sealed {
    key_version: u32,
    nonce: [u8; NONCE_BYTES],
    ciphertext: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    v: u8,
    k: u32,
    n: String,
    c: String,
}

impl Sealed {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 + 4 + NONCE_BYTES + self.ciphertext.len());
        bytes.push(FORMAT);
        bytes.extend_from_slice(&self.key_version.to_be_bytes());
        bytes.extend_from_slice(&self.nonce);
        bytes.extend_from_slice(&self.ciphertext);
        bytes
    }

    fn from_bytes(place: &Place, bytes: &[u8]) -> Result<Self, CipherError> {
        let short = || malformed(place, "it is too short");
        let (format, rest) = bytes.split_first().ok_or_else(short)?;
        if *format != FORMAT {
            return Err(malformed(place, "its format is unknown"));
        }
        let (key_version, rest) = rest.split_first_chunk().ok_or_else(short)?;
        let (nonce, ciphertext) = rest.split_first_chunk().ok_or_else(short)?;
        if ciphertext.len() < TAG_BYTES {
            return Err(short());
        }
        Ok(Self {
            key_version: u32::from_be_bytes(*key_version),
            nonce: *nonce,
            ciphertext: ciphertext.to_vec(),
        })
    }

    fn to_envelope(&self) -> Envelope {
        Envelope {
            v: FORMAT,
            k: self.key_version,
            n: BASE64.encode(self.nonce),
            c: BASE64.encode(&self.ciphertext),
        }
    }

    fn from_json(place: &Place, stored: &serde_json::Value) -> Result<Self, CipherError> {
        let envelope = Envelope::deserialize(stored)
            .map_err(|_| malformed(place, "it has not the parts v, k, n and c alone"))?;
        if envelope.v != FORMAT {
            return Err(malformed(place, "its format is unknown"));
        }
        let decode = |text: &str| BASE64.decode(text).ok();
        let nonce = decode(&envelope.n)
            .and_then(|nonce| nonce.try_into().ok())
            .ok_or_else(|| malformed(place, "its nonce is not 12 bytes in base64"))?;
        let ciphertext = decode(&envelope.c)
            .filter(|ciphertext| ciphertext.len() >= TAG_BYTES)
            .ok_or_else(|| malformed(place, "its ciphertext is too short or not base64"))?;
        Ok(Self {
            key_version: envelope.k,
            nonce,
            ciphertext,
        })
    }
}

fn malformed(place: &Place, why: &'static str) -> CipherError {
    CipherError::Malformed {
        place: place.clone(),
        why,
    }
}

#[cfg(test)]
mod tests;
