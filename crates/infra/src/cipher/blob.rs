//! Large values, such as audio: sealed and opened piece by piece, in bounded memory.
//!
//! The blob's own key is derived (HKDF-SHA256) from the facility's data key, a random salt and the place. Pieces of
//! 64 KiB are sealed in the STREAM construction (Hoang, Reyhanitabar, Rogaway and Vizár, 2015): the nonce is the piece's
//! number and whether it is the last, so a piece that is dropped, repeated, swapped or cut off at the end is noticed.
//!
//! Bytes: format (1) · key version (u32, big-endian) · salt (32) · pieces, each its ciphertext and tag.

use std::sync::Arc;

use aws_lc_rs::{
    aead::{AES_256_GCM, UnboundKey},
    hkdf,
};
use zeroize::Zeroizing;

use super::{
    aead::{AeadKey, NONCE_BYTES, TAG_BYTES, fill_random},
    data_key::{DataKey, FacilityKeys},
    field::{CipherError, Place},
};

const FORMAT: u8 = 1;
const BLOB_LABEL: &[u8] = b"hysio blob 1";
const SALT_BYTES: usize = 32;
const HEADER_BYTES: usize = 1 + 4 + SALT_BYTES;
const PIECE: usize = 64 * 1024;
const SEALED_PIECE: usize = PIECE + TAG_BYTES;

/// Seals a blob that is in memory.
#[must_use]
pub fn seal_blob(keys: &FacilityKeys, place: &Place, blob: &[u8]) -> Vec<u8> {
    let pieces = blob.len() / PIECE + 1;
    let mut sealed = Vec::with_capacity(HEADER_BYTES + blob.len() + pieces * TAG_BYTES);
    let mut sealer = BlobSealer::new(keys, place, &mut sealed);
    sealer.push(blob, &mut sealed);
    sealer.finish(&mut sealed);
    sealed
}

/// Opens a blob that is in memory.
///
/// # Errors
/// [`CipherError`], which names table, column and row.
pub fn open_blob(
    keys: &Arc<FacilityKeys>,
    place: &Place,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CipherError> {
    let mut blob = Zeroizing::new(Vec::with_capacity(sealed.len()));
    let mut opener = BlobOpener::new(Arc::clone(keys), place.clone());
    opener.push(sealed, &mut blob)?;
    opener.finish(&mut blob)?;
    Ok(blob)
}

/// Seals a blob as it arrives: `push` any amounts, then `finish`. Holds one piece.
#[derive(Debug)]
pub struct BlobSealer {
    pieces: Pieces,
    waiting: Zeroizing<Vec<u8>>,
}

impl BlobSealer {
    /// Starts a blob under the newest data key; its header is appended to `out`.
    #[must_use]
    pub fn new(keys: &FacilityKeys, place: &Place, out: &mut Vec<u8>) -> Self {
        let key = keys.newest();
        let mut salt = [0; SALT_BYTES];
        fill_random(&mut salt);
        out.push(FORMAT);
        out.extend_from_slice(&key.version().to_be_bytes());
        out.extend_from_slice(&salt);
        Self {
            pieces: Pieces::new(key, &salt, place),
            waiting: Zeroizing::new(Vec::with_capacity(PIECE)),
        }
    }

    /// Appends to `out` the sealed pieces that are known not to be the last.
    pub fn push(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while !bytes.is_empty() {
            if self.waiting.len() == PIECE {
                out.extend(self.pieces.seal(false, &self.waiting));
                self.waiting.clear();
            }
            bytes = fill(&mut self.waiting, PIECE, bytes);
        }
    }

    /// Appends the last piece. Without it the blob does not open.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        out.extend(self.pieces.seal(true, &self.waiting));
    }
}

/// Opens a sealed blob as it arrives: `push` any amounts, then `finish`. Holds one piece.
///
/// What `push` gives is authentic, but only `finish` shows that nothing was cut off: keep the result provisional until
/// then.
#[derive(Debug)]
pub struct BlobOpener {
    keys: Arc<FacilityKeys>,
    place: Place,
    pieces: Option<Pieces>,
    waiting: Vec<u8>,
}

impl BlobOpener {
    #[must_use]
    pub fn new(keys: Arc<FacilityKeys>, place: Place) -> Self {
        Self {
            keys,
            place,
            pieces: None,
            waiting: Vec::with_capacity(SEALED_PIECE),
        }
    }

    /// Appends to `out` what opens so far.
    ///
    /// # Errors
    /// [`CipherError`]; after one, the blob is to be given up.
    pub fn push(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> Result<(), CipherError> {
        while !bytes.is_empty() {
            bytes = match &mut self.pieces {
                None => fill(&mut self.waiting, HEADER_BYTES, bytes),
                Some(pieces) => {
                    if self.waiting.len() == SEALED_PIECE {
                        open_piece(pieces, false, &self.waiting, &self.place, out)?;
                        self.waiting.clear();
                    }
                    fill(&mut self.waiting, SEALED_PIECE, bytes)
                }
            };
            if self.pieces.is_none() && self.waiting.len() == HEADER_BYTES {
                self.pieces = Some(self.read_header()?);
                self.waiting.clear();
            }
        }
        Ok(())
    }

    /// Appends the last piece to `out`; only now is the blob known to be whole.
    ///
    /// # Errors
    /// [`CipherError::Tampered`] when it was cut off, [`CipherError::Malformed`] when it ends within its header.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), CipherError> {
        let pieces = self.pieces.as_mut().ok_or_else(|| CipherError::Malformed {
            place: self.place.clone(),
            why: "it is too short",
        })?;
        open_piece(pieces, true, &self.waiting, &self.place, out)
    }

    fn read_header(&self) -> Result<Pieces, CipherError> {
        let (format, rest) = self
            .waiting
            .split_first()
            .expect("called with a whole header");
        if *format != FORMAT {
            return Err(CipherError::Malformed {
                place: self.place.clone(),
                why: "its format is unknown",
            });
        }
        let (version, salt) = rest
            .split_first_chunk()
            .expect("called with a whole header");
        let version = u32::from_be_bytes(*version);
        let key = self
            .keys
            .version(version)
            .ok_or_else(|| CipherError::UnknownKey {
                place: self.place.clone(),
                facility: self.keys.facility(),
                version,
            })?;
        Ok(Pieces::new(key, salt, &self.place))
    }
}

fn open_piece(
    pieces: &mut Pieces,
    last: bool,
    sealed: &[u8],
    place: &Place,
    out: &mut Vec<u8>,
) -> Result<(), CipherError> {
    let plain = pieces
        .open(last, sealed)
        .ok_or_else(|| CipherError::Tampered {
            place: place.clone(),
        })?;
    out.extend_from_slice(&plain);
    Ok(())
}

/// Moves bytes into `waiting` until it has `size`; gives back the rest.
fn fill<'a>(waiting: &mut Vec<u8>, size: usize, bytes: &'a [u8]) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(bytes.len().min(size - waiting.len()));
    waiting.extend_from_slice(taken);
    rest
}

/// The key of one blob, and the number of the next piece.
#[derive(Debug)]
struct Pieces {
    key: AeadKey,
    next: u32,
}

impl Pieces {
    fn new(key: &DataKey, salt: &[u8], place: &Place) -> Self {
        let info = place.aad(BLOB_LABEL, key.facility(), key.version());
        let derived = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(&key.secret.0);
        let info = [info.as_slice()];
        let derived = derived
            .expand(&info, &AES_256_GCM)
            .expect("32 bytes are within HKDF's limit");
        Self {
            key: AeadKey::from_unbound(UnboundKey::from(derived)),
            next: 0,
        }
    }

    fn seal(&mut self, last: bool, plain: &[u8]) -> Vec<u8> {
        let nonce = self.nonce(last);
        self.key.seal_with(nonce, &[], plain)
    }

    fn open(&mut self, last: bool, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let nonce = self.nonce(last);
        self.key.open(nonce, &[], sealed).map(Zeroizing::new)
    }

    fn nonce(&mut self, last: bool) -> [u8; NONCE_BYTES] {
        let mut nonce = [0; NONCE_BYTES];
        nonce[7..11].copy_from_slice(&self.next.to_be_bytes());
        nonce[11] = u8::from(last);
        self.next = self
            .next
            .checked_add(1)
            .expect("a blob has less than 2^32 pieces (256 TiB)");
        nonce
    }
}

#[cfg(test)]
mod tests;
