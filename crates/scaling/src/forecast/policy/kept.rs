//! Forecasts that were made before. A replay that tries many settings on the same days makes the same forecasts each time, and they are
//! what takes most of its time.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, PoisonError},
};

use super::{Memory, Settings};

/// The longest lead in steps, and the step that is now.
pub const MOST_STEPS: usize = 49;
/// A year of steps of a quarter of an hour is 35,000; a forecast is 800 bytes.
const MOST_KEPT: usize = 100_000;

type Forecasts = Option<(Vec<f64>, Vec<f64>)>;

/// Shared by the policies of many runs.
#[derive(Clone, Debug, Default)]
pub struct Kept(Arc<Mutex<HashMap<u64, Forecasts>>>);

impl Kept {
    pub(super) fn or_make(
        &self,
        settings: &Settings,
        memory: &Memory,
        make: impl FnOnce() -> Forecasts,
    ) -> Forecasts {
        let mut hasher = DefaultHasher::new();
        (
            &settings.name,
            settings.step_seconds,
            settings.history_steps,
        )
            .hash(&mut hasher);
        memory.hash_history(&mut hasher);
        let key = hasher.finish();
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(&key) {
            return known.clone();
        }
        let made = make();
        let mut kept = lock();
        if kept.len() < MOST_KEPT {
            kept.insert(key, made.clone());
        }
        made
    }
}
