//! The shape of `scaling-matrix.yaml`: what the matrix, the calendar and the emergencies each take their part from.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_saphyr::Spanned;

use crate::policy_file::{Error, File};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawFile {
    pub scaling_thresholds: Ordered<RawTier>,
    #[serde(default)]
    pub healthcare_specific_scaling: RawHealthcare,
    #[serde(default)]
    pub matrix: RawMatrix,
    #[serde(default)]
    pub calendar: RawCalendar,
    #[serde(default)]
    pub emergencies: RawEmergencies,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawTier {
    pub active_sessions: Option<Spanned<String>>,
    pub cpu_usage: Option<Spanned<String>>,
    pub memory_usage: Option<Spanned<String>>,
    pub queue_length: Option<Spanned<String>>,
    pub configuration: Ordered<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawHealthcare {
    pub flu_season: Option<RawSeason>,
    pub business_hours: Option<RawHours>,
    pub emergency_scenarios: Ordered<RawScenario>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSeason {
    pub multiplier: Spanned<f64>,
    pub duration: Spanned<String>,
    pub additional_workers: Option<Spanned<i64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawHours {
    pub peak_times: Spanned<String>,
    pub multiplier: Spanned<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawScenario {
    pub multiplier: Spanned<f64>,
    pub max_instances: Spanned<i64>,
    #[serde(default)]
    pub priority_queues: bool,
    pub within_minutes: Option<Spanned<i64>>,
    #[serde(default)]
    pub requires: Vec<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawMatrix {
    pub signals: RawSignals,
    pub stale_after_seconds: Option<Spanned<i64>>,
    pub leave_below_percent: Option<Spanned<f64>>,
    pub leave_after_seconds: Option<Spanned<i64>>,
    pub max_connections: Option<Spanned<i64>>,
    pub reserved_connections: Option<Spanned<i64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawSignals {
    pub active_sessions: Option<String>,
    pub cpu_usage: Option<String>,
    pub memory_usage: Option<String>,
    pub queue_length: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawCalendar {
    pub time_zone: Option<Spanned<String>>,
    pub weekdays: Option<Vec<Spanned<String>>>,
    pub public_holidays: Vec<Spanned<String>>,
    pub holidays: Vec<Spanned<String>>,
    pub lead_minutes: Option<Spanned<i64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawEmergencies {
    pub days_max: Option<Spanned<i64>>,
    pub reason_characters_min: Option<Spanned<i64>>,
    pub priority_queues: Option<Vec<Spanned<String>>>,
    pub scenarios: Ordered<RawScenario>,
}

pub(crate) fn read(file: File<'_>, text: &str) -> Result<RawFile, Error> {
    file.read(
        text,
        "config/scaling-matrix.yaml shows every key with its default",
    )
}

/// A mapping in the order of the file, with the place of each key.
#[derive(Debug)]
pub(crate) struct Ordered<V>(pub Vec<(Spanned<String>, V)>);

impl<V> Default for Ordered<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Ordered<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

struct Entries<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for Entries<V> {
    type Value = Ordered<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Ordered(entries))
    }
}
