//! Unwrapped keys, held for as long as they are used. Bounded: the least recently used facility's keys are dropped first.

use std::{
    collections::HashMap,
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

use hysio_model::id::FacilityId;

use super::data_key::FacilityKeys;

/// A cache of facility keys. Loading them is the caller's: `get`, else read the wrapped keys, unwrap and `insert`.
///
/// Another instance may add a version at any time: on [`super::CipherError::UnknownKey`], `forget` the facility, load
/// it again and try once more.
#[derive(Debug)]
pub struct Keyring {
    capacity: NonZeroUsize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    uses: u64,
    facilities: HashMap<FacilityId, (u64, Arc<FacilityKeys>)>,
}

impl Keyring {
    /// Holds the keys of at most `capacity` facilities.
    #[must_use]
    pub fn new(capacity: NonZeroUsize) -> Self {
        Self {
            capacity,
            held: Mutex::default(),
        }
    }

    #[must_use]
    pub fn get(&self, facility: FacilityId) -> Option<Arc<FacilityKeys>> {
        let mut held = self.lock();
        held.uses += 1;
        let now = held.uses;
        let (used, keys) = held.facilities.get_mut(&facility)?;
        *used = now;
        Some(Arc::clone(keys))
    }

    /// Holds the keys, in place of those held before, and gives them back to be used.
    pub fn insert(&self, keys: FacilityKeys) -> Arc<FacilityKeys> {
        let keys = Arc::new(keys);
        let mut held = self.lock();
        held.uses += 1;
        let now = held.uses;
        held.facilities
            .insert(keys.facility(), (now, Arc::clone(&keys)));
        if held.facilities.len() > self.capacity.get() {
            let oldest = held.facilities.iter().min_by_key(|(_, (used, _))| *used);
            let oldest = oldest.map(|(facility, _)| *facility);
            if let Some(facility) = oldest {
                held.facilities.remove(&facility);
            }
        }
        keys
    }

    pub fn forget(&self, facility: FacilityId) {
        self.lock().facilities.remove(&facility);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cipher::{DataKey, IndexRoot};

    fn keys(facility: i32) -> FacilityKeys {
        let facility = FacilityId(facility);
        let index = IndexRoot::generate().for_facility(facility);
        FacilityKeys::new(facility, vec![DataKey::generate(facility, 1)], index).unwrap()
    }

    #[test]
    fn the_least_recently_used_facility_makes_room() {
        let ring = Keyring::new(NonZeroUsize::new(2).unwrap());
        ring.insert(keys(1));
        ring.insert(keys(2));
        assert!(ring.get(FacilityId(1)).is_some());
        ring.insert(keys(3));
        assert!(ring.get(FacilityId(2)).is_none());
        assert!(ring.get(FacilityId(1)).is_some());
        ring.forget(FacilityId(1));
        assert!(ring.get(FacilityId(1)).is_none());
    }
}
