//! Forecasts that were made before. A replay that tries many settings on the same days makes the same forecasts each time, and they are
//! what takes most of its time.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    Memory, Settings,
    ahead::{Forecast, Season},
};

/// Two months of steps of five minutes; a season is 12 kB.
const MOST_SEASONS: usize = 20_000;
/// A forecast is 100 bytes a step of the lead.
const MOST_FORECASTS: usize = 200_000;

/// Shared by the policies of many runs.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    seasons: Store<Season>,
    forecasts: Store<Forecast>,
}

impl Kept {
    pub(super) fn season(
        &self,
        settings: &Settings,
        memory: &Memory,
        make: impl FnOnce() -> Option<Season>,
    ) -> Option<Arc<Season>> {
        let key = key(settings, memory, ());
        self.seasons.get_or_make(key, MOST_SEASONS, make)
    }

    pub(super) fn forecast(
        &self,
        settings: &Settings,
        memory: &Memory,
        now: f64,
        make: impl FnOnce() -> Option<Forecast>,
    ) -> Option<Arc<Forecast>> {
        let key = key(settings, memory, (now.to_bits(), settings.lead_steps()));
        self.forecasts.get_or_make(key, MOST_FORECASTS, make)
    }
}

fn key(settings: &Settings, memory: &Memory, more: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    (
        &settings.name,
        settings.step_seconds,
        settings.history_steps,
    )
        .hash(&mut hasher);
    more.hash(&mut hasher);
    memory.hash_history(&mut hasher);
    hasher.finish()
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
