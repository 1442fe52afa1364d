//! Data keys: what the data of one facility is encrypted with, in versions.

use std::collections::BTreeMap;

use hysio_model::id::FacilityId;

use super::{
    aead::{AeadKey, Secret},
    blind_index::BlindIndex,
    master::{KeyError, KeyPurpose, MasterKeys, WrappedKey},
};

/// One version of a facility's data key.
#[derive(Debug)]
pub struct DataKey {
    facility: FacilityId,
    version: u32,
    pub(super) secret: Secret,
    pub(super) aead: AeadKey,
}

impl DataKey {
    /// A new random key. Versions of a facility count from 1.
    #[must_use]
    pub fn generate(facility: FacilityId, version: u32) -> Self {
        Self::new(facility, version, Secret::generate())
    }

    #[must_use]
    pub fn wrap(&self, master: &MasterKeys) -> WrappedKey {
        master.wrap(KeyPurpose::Data, self.facility, self.version, &self.secret)
    }

    /// # Errors
    /// [`KeyError::WrongMasterKey`], or [`KeyError::Tampered`] when the stored key was changed, belongs to another
    /// facility or version, or is no data key.
    pub fn unwrap(master: &MasterKeys, wrapped: &WrappedKey) -> Result<Self, KeyError> {
        let secret = master.unwrap(KeyPurpose::Data, wrapped)?;
        Ok(Self::new(wrapped.facility, wrapped.version, secret))
    }

    #[must_use]
    pub fn facility(&self) -> FacilityId {
        self.facility
    }

    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    pub(super) fn new(facility: FacilityId, version: u32, secret: Secret) -> Self {
        let aead = AeadKey::new(&secret);
        Self {
            facility,
            version,
            secret,
            aead,
        }
    }
}

/// All that one facility's data is sealed, opened and found with. The newest data key seals, all open.
/// Sealing and opening are in [`super::field`] and [`super::blob`].
#[derive(Debug)]
pub struct FacilityKeys {
    facility: FacilityId,
    versions: BTreeMap<u32, DataKey>,
    index: BlindIndex,
}

impl FacilityKeys {
    /// # Errors
    /// [`KeyError::NoDataKey`]; [`KeyError::Mismatched`] when a version comes twice or is another facility's.
    pub fn new(
        facility: FacilityId,
        keys: Vec<DataKey>,
        index: BlindIndex,
    ) -> Result<Self, KeyError> {
        let mut versions = BTreeMap::new();
        for key in keys {
            let version = key.version;
            let foreign = key.facility != facility;
            if foreign || versions.insert(version, key).is_some() {
                return Err(KeyError::Mismatched { facility, version });
            }
        }
        if versions.is_empty() {
            return Err(KeyError::NoDataKey { facility });
        }
        Ok(Self {
            facility,
            versions,
            index,
        })
    }

    #[must_use]
    pub fn facility(&self) -> FacilityId {
        self.facility
    }

    /// The version that seals. A value with an older one is re-encrypted by opening and sealing it again.
    #[must_use]
    pub fn newest_version(&self) -> u32 {
        self.newest().version
    }

    /// Finds rows by encrypted values.
    #[must_use]
    pub fn index(&self) -> &BlindIndex {
        &self.index
    }

    pub(super) fn newest(&self) -> &DataKey {
        self.versions
            .values()
            .next_back()
            .expect("new() refuses an empty list")
    }

    pub(super) fn version(&self, version: u32) -> Option<&DataKey> {
        self.versions.get(&version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cipher::IndexRoot;

    #[test]
    fn keys_of_another_facility_or_the_same_version_twice_are_refused() {
        let index = || IndexRoot::generate().for_facility(FacilityId(1));
        let key = |facility, version| DataKey::generate(FacilityId(facility), version);
        assert!(matches!(
            FacilityKeys::new(FacilityId(1), vec![], index()),
            Err(KeyError::NoDataKey { .. })
        ));
        assert!(FacilityKeys::new(FacilityId(1), vec![key(1, 1), key(2, 2)], index()).is_err());
        assert!(FacilityKeys::new(FacilityId(1), vec![key(1, 1), key(1, 1)], index()).is_err());
        let keys = FacilityKeys::new(FacilityId(1), vec![key(1, 2), key(1, 1)], index()).unwrap();
        assert_eq!(keys.newest_version(), 2);
    }
}
