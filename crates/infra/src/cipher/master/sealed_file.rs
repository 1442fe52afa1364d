//! Small files that lie beside a backup, such as the key that signs the audit trail: sealed under the master key, which is
//! kept elsewhere.

use zeroize::Zeroizing;

use super::{MasterKeys, bind};
use crate::cipher::aead::NONCE_BYTES;

const LABEL: &[u8] = b"hysio sealed file 1";
/// The id of the master key: 16 hex digits.
const ID_BYTES: usize = 16;

impl MasterKeys {
    /// The id of the master key, a nonce (12 bytes), ciphertext and tag. Bound to `name`, so that one file cannot stand in
    /// for another.
    #[must_use]
    pub fn seal_file(&self, name: &str, plain: &[u8]) -> Vec<u8> {
        let master = &self.keys[0];
        let (nonce, sealed) = master.key.seal(&aad(name, &master.id), plain);
        [master.id.as_bytes(), &nonce[..], &sealed].concat()
    }

    /// What [`MasterKeys::seal_file`] sealed under any of these keys; None when it is none of theirs or was changed.
    #[must_use]
    pub fn open_file(&self, name: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (id, rest) = sealed.split_at_checked(ID_BYTES)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>()?;
        let master = self.keys.iter().find(|key| key.id.as_bytes() == id)?;
        master
            .key
            .open(*nonce, &aad(name, &master.id), sealed)
            .map(Zeroizing::new)
    }

    /// Whether the file holds the key with this id.
    #[must_use]
    pub fn holds(&self, id: &str) -> bool {
        self.keys.iter().any(|key| key.id == id)
    }
}

fn aad(name: &str, master_id: &str) -> Vec<u8> {
    bind(&[LABEL, name.as_bytes(), master_id.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_file_opens_under_its_name_and_key_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mine = MasterKeys::generate_file(&folder.path().join("mine")).unwrap();
        let other = MasterKeys::generate_file(&folder.path().join("other")).unwrap();
        let sealed = mine.seal_file("audit.key", b"secret");
        assert_eq!(
            mine.open_file("audit.key", &sealed).unwrap().as_slice(),
            b"secret"
        );
        assert!(mine.open_file("master.key", &sealed).is_none());
        assert!(other.open_file("audit.key", &sealed).is_none());
        let mut changed = sealed;
        *changed.last_mut().unwrap() ^= 1;
        assert!(mine.open_file("audit.key", &changed).is_none());
        assert!(mine.open_file("audit.key", b"short").is_none());
    }
}
