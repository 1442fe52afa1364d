//! The one place that calls AES-256-GCM, and the secret bytes that the other modules pass around.

use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    rand,
};
use zeroize::{Zeroize, ZeroizeOnDrop};

pub(super) const KEY_BYTES: usize = 32;
pub(super) const NONCE_BYTES: usize = 12;
pub(super) const TAG_BYTES: usize = 16;

/// Secret bytes, wiped when dropped and never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(super) struct Secret(pub(super) [u8; KEY_BYTES]);

impl Secret {
    pub(super) fn generate() -> Self {
        let mut secret = Self([0; KEY_BYTES]);
        fill_random(&mut secret.0);
        secret
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// An expanded AES-256-GCM key. AWS-LC wipes it when it is freed.
pub(super) struct AeadKey(LessSafeKey);

impl AeadKey {
    pub(super) fn new(secret: &Secret) -> Self {
        Self::from_unbound(
            UnboundKey::new(&AES_256_GCM, &secret.0).expect("AES-256 takes 32 bytes"),
        )
    }

    pub(super) fn from_unbound(key: UnboundKey) -> Self {
        Self(LessSafeKey::new(key))
    }

    /// Ciphertext and tag, under a random nonce. At most 2^32 of these under one key keep the chance of a repeated
    /// nonce below 2^-32 (NIST SP 800-38D, section 8.3).
    pub(super) fn seal(&self, aad: &[u8], plaintext: &[u8]) -> ([u8; NONCE_BYTES], Vec<u8>) {
        let mut nonce = [0; NONCE_BYTES];
        fill_random(&mut nonce);
        (nonce, self.seal_with(nonce, aad, plaintext))
    }

    /// Ciphertext and tag under the nonce given, which must never be used again with this key.
    pub(super) fn seal_with(
        &self,
        nonce: [u8; NONCE_BYTES],
        aad: &[u8],
        plaintext: &[u8],
    ) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(plaintext.len() + TAG_BYTES);
        sealed.extend_from_slice(plaintext);
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(aad),
                &mut sealed,
            )
            .expect("a value in memory is shorter than the 64 GiB that AES-GCM takes");
        sealed
    }

    /// The plaintext, or nothing when nonce, additional data or ciphertext are not those it was sealed with.
    pub(super) fn open(
        &self,
        nonce: [u8; NONCE_BYTES],
        aad: &[u8],
        sealed: &[u8],
    ) -> Option<Vec<u8>> {
        let mut plain = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let length = match self.0.open_in_place(nonce, Aad::from(aad), &mut plain) {
            Ok(opened) => opened.len(),
            Err(_) => {
                plain.zeroize();
                return None;
            }
        };
        plain.truncate(length);
        Some(plain)
    }
}

impl fmt::Debug for AeadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[key]")
    }
}

/// Joins parts so that no other list of parts gives the same bytes: each is preceded by its length (u32, big-endian).
pub(super) fn bind(parts: &[&[u8]]) -> Vec<u8> {
    let mut bound = Vec::with_capacity(parts.iter().map(|part| part.len() + 4).sum());
    for part in parts {
        let length = u32::try_from(part.len()).expect("names and ids are short");
        bound.extend_from_slice(&length.to_be_bytes());
        bound.extend_from_slice(part);
    }
    bound
}

pub(super) fn fill_random(bytes: &mut [u8]) {
    rand::fill(bytes).expect("the operating system gives random bytes");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NIST's GCM test case 16 (McGrew and Viega): AES-256, 60 bytes of text, 20 of additional data.
    #[test]
    fn the_cipher_is_aes_256_gcm() {
        let key: [u8; 32] =
            hex_array("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
        let nonce: [u8; 12] = hex_array("cafebabefacedbaddecaf888");
        let text = hex::decode(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
             1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        )
        .unwrap();
        let aad = hex::decode("feedfacedeadbeeffeedfacedeadbeefabaddad2").unwrap();
        let sealed = AeadKey::new(&Secret(key)).seal_with(nonce, &aad, &text);
        assert_eq!(
            hex::encode(sealed),
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
             8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662\
             76fc6ece0f4e1768cddf8853bb2d551b"
        );
    }

    #[test]
    fn joined_parts_cannot_be_split_another_way() {
        assert_ne!(bind(&[b"ab", b"c"]), bind(&[b"a", b"bc"]));
        assert_ne!(bind(&[b"a", b""]), bind(&[b"a"]));
    }

    fn hex_array<const N: usize>(text: &str) -> [u8; N] {
        hex::decode(text).unwrap().try_into().unwrap()
    }
}
