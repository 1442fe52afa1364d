//! The keys that sign checkpoints: Ed25519, in the text forms of the C2SP signed-note specification, which the tools of
//! other transparency logs read.
//!
//! The key file has a key a line, `#` starts a comment. Private: `PRIVATE+KEY+<origin>+<id>+<base64 of 1 and seed>`.
//! Public: `<origin>+<id>+<base64 of 1 and public key>`. The first private key signs; all verify. To rotate, a new
//! private key goes on top, and older ones may be replaced by their public form.

use std::path::{Path, PathBuf};

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use thiserror::Error;
use zeroize::Zeroizing;

use super::tree::Hash;
use crate::secret_file::{self, SecretFileError};

const WHAT: &str = "audit signing key";
const PRIVATE: &str = "PRIVATE+KEY+";
const ALGORITHM_ED25519: u8 = 1;
const MAX_KEYS: usize = 64;

#[derive(Debug, Error)]
pub enum SigningKeyError {
    #[error(transparent)]
    File(#[from] SecretFileError),
    #[error("the origin {0:?} cannot name an audit trail: use letters, digits, `.`, `-` and `/`")]
    BadOrigin(String),
    #[error("line {line} of {} is not an audit key: {why}", path.display())]
    BadLine {
        path: PathBuf,
        line: usize,
        why: &'static str,
    },
    #[error("{} has no key to sign with: put a line that begins with {PRIVATE} on top", path.display())]
    NoPrivateKey { path: PathBuf },
    #[error("{} has more than {MAX_KEYS} keys", path.display())]
    TooMany { path: PathBuf },
    #[error("the public key file {} cannot be read: {source}", path.display())]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{0:?} is not a public key of an audit trail: {1}")]
    BadPublicKey(String, &'static str),
}

/// The key that signs, and all that verify.
#[derive(Debug)]
pub struct SigningKeys {
    pair: Ed25519KeyPair,
    verifying: VerifyingKeys,
}

impl SigningKeys {
    /// # Errors
    /// When the file is missing, unreadable, open to other users, or has a line that is no key.
    pub fn load(path: &Path) -> Result<Self, SigningKeyError> {
        let text = secret_file::read(WHAT, path)?;
        let mut pair = None;
        let mut verifying = VerifyingKeys::default();
        for (index, line) in key_lines(&text) {
            let bad = |why| SigningKeyError::BadLine {
                path: path.to_owned(),
                line: index,
                why,
            };
            let key = if line.starts_with(PRIVATE) {
                let (key, private) = parse_private(line).map_err(bad)?;
                pair.get_or_insert((private, key.clone()));
                key
            } else {
                VerifyingKey::parse(line).map_err(bad)?
            };
            if verifying.0.len() == MAX_KEYS {
                return Err(SigningKeyError::TooMany {
                    path: path.to_owned(),
                });
            }
            verifying.0.push(key);
        }
        let (pair, signer) = pair.ok_or_else(|| SigningKeyError::NoPrivateKey {
            path: path.to_owned(),
        })?;
        verifying.0.retain(|key| *key != signer);
        verifying.0.insert(0, signer);
        Ok(Self { pair, verifying })
    }

    /// Writes a new key file with mode 0600 and loads it. Never overwrites a file. `origin` names the trail, such as
    /// `hysio.example/audit`; it is in every checkpoint.
    ///
    /// # Errors
    /// When the origin is no name, or the file is there already or cannot be written.
    pub fn generate_file(path: &Path, origin: &str) -> Result<Self, SigningKeyError> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '/' | '_');
        if origin.is_empty() || !origin.chars().all(is_name) {
            return Err(SigningKeyError::BadOrigin(origin.to_owned()));
        }
        let mut secret = Zeroizing::new([ALGORITHM_ED25519; 33]);
        aws_lc_rs::rand::fill(&mut secret[1..]).expect("the operating system gives random bytes");
        let pair = Ed25519KeyPair::from_seed_unchecked(&secret[1..]).expect("a seed is 32 bytes");
        let public = VerifyingKey::new(origin, pair.public_key().as_ref());
        let encoded = Zeroizing::new(BASE64.encode(&secret[..]));
        let text = Zeroizing::new(format!(
            "# Signs the audit trail. Whoever has it can write another trail: keep it secret.\n\
             {PRIVATE}{origin}+{}+{}\n",
            hex::encode(public.id),
            encoded.as_str()
        ));
        secret_file::create(WHAT, path, &text)?;
        Self::load(path)
    }

    /// The keys to give to an auditor.
    #[must_use]
    pub fn verifying(&self) -> &VerifyingKeys {
        &self.verifying
    }

    /// What names the trail in its checkpoints.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.signer().origin
    }

    pub(super) fn signer(&self) -> &VerifyingKey {
        &self.verifying.0[0]
    }

    pub(super) fn sign(&self, body: &[u8]) -> Vec<u8> {
        self.pair.sign(body).as_ref().to_vec()
    }
}

/// Public keys, the current one first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyingKeys(Vec<VerifyingKey>);

impl VerifyingKeys {
    /// Reads a file of public keys, a line each.
    ///
    /// # Errors
    /// When it cannot be read or a line is no public key.
    pub fn load(path: &Path) -> Result<Self, SigningKeyError> {
        let text = std::fs::read_to_string(path).map_err(|source| SigningKeyError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let keys = key_lines(&text)
            .take(MAX_KEYS)
            .map(|(index, line)| {
                VerifyingKey::parse(line).map_err(|why| SigningKeyError::BadLine {
                    path: path.to_owned(),
                    line: index,
                    why,
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self(keys))
    }

    /// # Errors
    /// [`SigningKeyError::BadPublicKey`], which names the one.
    pub fn parse(keys: &[String]) -> Result<Self, SigningKeyError> {
        keys.iter()
            .take(MAX_KEYS)
            .map(|key| {
                VerifyingKey::parse(key)
                    .map_err(|why| SigningKeyError::BadPublicKey(key.clone(), why))
            })
            .collect::<Result<Vec<_>, _>>()
            .map(Self)
    }

    /// The keys' text forms.
    #[must_use]
    pub fn to_texts(&self) -> Vec<String> {
        self.0.iter().map(VerifyingKey::to_text).collect()
    }

    pub(super) fn find(&self, origin: &str, id: [u8; 4]) -> Option<&VerifyingKey> {
        self.0
            .iter()
            .find(|key| key.origin == origin && key.id == id)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VerifyingKey {
    pub(super) origin: String,
    pub(super) id: [u8; 4],
    public: [u8; 32],
}

impl VerifyingKey {
    fn new(origin: &str, public: &[u8]) -> Self {
        let hash = Hash::of(&[origin.as_bytes(), &[b'\n', ALGORITHM_ED25519], public]);
        Self {
            origin: origin.to_owned(),
            id: *hash.0.first_chunk().expect("a hash is longer"),
            public: public
                .try_into()
                .expect("an Ed25519 public key is 32 bytes"),
        }
    }

    pub(super) fn verifies(&self, body: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.public)
            .verify(body, signature)
            .is_ok()
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        let (origin, id, public) = parse_parts(text)?;
        let key = Self::new(origin, &public[..]);
        if hex::encode(key.id) == id {
            Ok(key)
        } else {
            Err("its id does not fit its key")
        }
    }

    fn to_text(&self) -> String {
        let public = [&[ALGORITHM_ED25519], &self.public[..]].concat();
        format!(
            "{}+{}+{}",
            self.origin,
            hex::encode(self.id),
            BASE64.encode(public)
        )
    }
}

fn parse_private(line: &str) -> Result<(VerifyingKey, Ed25519KeyPair), &'static str> {
    let (origin, id, seed) = parse_parts(&line[PRIVATE.len()..])?;
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed[..]).map_err(|_| "its seed is no seed")?;
    let key = VerifyingKey::new(origin, pair.public_key().as_ref());
    if hex::encode(key.id) == id {
        Ok((key, pair))
    } else {
        Err("its id does not fit its key")
    }
}

/// Origin, id and the 32 bytes after the algorithm.
fn parse_parts(text: &str) -> Result<(&str, &str, Zeroizing<[u8; 32]>), &'static str> {
    let shape = "it has not the form origin+id+key";
    let (origin, rest) = text.split_once('+').ok_or(shape)?;
    let (id, key) = rest.split_once('+').ok_or(shape)?;
    let bytes = Zeroizing::new(BASE64.decode(key).map_err(|_| "its key is not base64")?);
    let (algorithm, key) = bytes.split_first().ok_or(shape)?;
    if *algorithm != ALGORITHM_ED25519 {
        return Err("its algorithm is not Ed25519");
    }
    let key = <[u8; 32]>::try_from(key).map_err(|_| "its key is not 32 bytes")?;
    Ok((origin, id, Zeroizing::new(key)))
}

/// Lines with a key in them, and their numbers from 1.
fn key_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .map(str::trim)
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn a_rotated_key_file_signs_with_the_first_and_verifies_with_all() {
        let folder = tempfile::tempdir().unwrap();
        let (old_path, new_path) = (folder.path().join("old"), folder.path().join("new"));
        let old = SigningKeys::generate_file(&old_path, "hysio.example/audit").unwrap();
        let new = SigningKeys::generate_file(&new_path, "hysio.example/audit").unwrap();
        let public_of_old = old.verifying().to_texts().remove(0);
        let both = format!(
            "{public_of_old}\n{}",
            fs::read_to_string(&new_path).unwrap()
        );
        fs::write(&new_path, both).unwrap();
        let both = SigningKeys::load(&new_path).unwrap();
        assert_eq!(both.signer(), new.signer());
        let signature = old.sign(b"text");
        let key = both
            .verifying()
            .find("hysio.example/audit", old.signer().id)
            .unwrap();
        assert!(key.verifies(b"text", &signature));
        assert!(!key.verifies(b"texts", &signature));
        assert!(!new.signer().verifies(b"text", &signature));
        let texts = both.verifying().to_texts();
        assert_eq!(&VerifyingKeys::parse(&texts).unwrap(), both.verifying());
    }

    #[test]
    fn lines_that_are_no_keys_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let good = SigningKeys::generate_file(&path, "a")
            .unwrap()
            .verifying()
            .to_texts()
            .remove(0);
        for (text, expected) in [
            (good.clone(), "no key to sign with"),
            (format!("# x\n{good}x"), "line 2"),
            (good.replace("a+", "b+"), "id does not fit"),
            ("PRIVATE+KEY+a+00000000+AAAA".to_owned(), "not Ed25519"),
            ("PRIVATE+KEY+a".to_owned(), "form"),
        ] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let message = SigningKeys::load(&path).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
        assert!(matches!(
            SigningKeys::generate_file(&folder.path().join("x"), "two words"),
            Err(SigningKeyError::BadOrigin(_))
        ));
    }
}
