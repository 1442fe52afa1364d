//! Forecasts that were made before. A replay that tries many settings on the same days makes the same forecasts each time, and they are
//! what takes most of its time.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, PoisonError},
};

use jiff::tz::TimeZone;

use super::ahead::{Forecast, Learnt, Past, Season};

/// Two years of hours; a season is 12 kB.
const MOST_LEARNT: usize = 20_000;
/// A forecast is 100 bytes a step of the lead.
const MOST_FORECASTS: usize = 200_000;

/// Shared by the policies of many runs.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    seasons: Store<Season>,
    learnt: Store<Learnt>,
    forecasts: Store<Forecast>,
}

impl Kept {
    pub(super) fn season(
        &self,
        past: &Past,
        zone: &TimeZone,
        make: impl FnOnce() -> Option<Season>,
    ) -> Option<Arc<Season>> {
        let key = key(past, zone, ());
        self.seasons.get_or_make(key, MOST_LEARNT, make)
    }

    pub(super) fn learnt(
        &self,
        past: &Past,
        zone: &TimeZone,
        lead: usize,
        make: impl FnOnce() -> Option<Learnt>,
    ) -> Option<Arc<Learnt>> {
        let key = key(past, zone, lead);
        self.learnt.get_or_make(key, MOST_LEARNT, make)
    }

    pub(super) fn forecast(
        &self,
        past: &Past,
        zone: &TimeZone,
        lead: usize,
        now: f64,
        make: impl FnOnce() -> Option<Forecast>,
    ) -> Option<Arc<Forecast>> {
        let key = key(past, zone, (now.to_bits(), lead));
        self.forecasts.get_or_make(key, MOST_FORECASTS, make)
    }
}

/// Of all that one depends on.
fn key(past: &Past, zone: &TimeZone, more: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    (zone.iana_name(), past.first, past.step_seconds, more).hash(&mut hasher);
    hasher.write_u64(mixed(&past.values));
    hasher.finish()
}

/// Thousands of values at each look: a multiplication each, as the hasher would take longer than what it saves.
fn mixed(values: &[f64]) -> u64 {
    // An odd number without a pattern: 2⁶⁴ over the golden ratio.
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    // Not from nothing, or any number of zeros would be the same.
    values.iter().fold(values.len() as u64 + 1, |mixed, value| {
        (mixed.rotate_left(23) ^ value.to_bits()).wrapping_mul(FACTOR)
    })
}

#[derive(Debug)]
struct Store<T>(Arc<Mutex<HashMap<u64, Option<Arc<T>>>>>);

impl<T> Clone for Store<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Store<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Store<T> {
    fn get_or_make(
        &self,
        key: u64,
        most: usize,
        make: impl FnOnce() -> Option<T>,
    ) -> Option<Arc<T>> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(&key) {
            return known.clone();
        }
        let made = make().map(Arc::new);
        let mut kept = lock();
        if kept.len() < most {
            kept.insert(key, made.clone());
        }
        made
    }
}
