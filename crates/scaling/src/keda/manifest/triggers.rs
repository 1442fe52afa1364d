//! `triggers`.

use std::collections::BTreeMap;

use serde::{Deserialize, de::IgnoredAny};
use serde_saphyr::Spanned;

use crate::{
    keda::redis::{self, Parameters, RedisList},
    manifest::{ManifestError, Reader, line},
};

#[derive(Clone, Debug, PartialEq)]
pub struct Trigger {
    /// What a formula calls it.
    pub name: Option<String>,
    /// The external metric's name, such as `s0-redis-transcription_queue`.
    pub metric: String,
    pub list: RedisList,
    /// Whether the length of the list is shared by all replicas (`AverageValue`), or held against as a whole (`Value`).
    pub is_average: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawTrigger {
    #[serde(rename = "type")]
    kind: Spanned<String>,
    pub name: Option<Spanned<String>>,
    metadata: Spanned<BTreeMap<String, String>>,
    metric_type: Option<Spanned<String>>,
    #[serde(rename = "authenticationRef")]
    _authentication: Option<IgnoredAny>,
    #[serde(rename = "useCachedMetrics")]
    _use_cached_metrics: Option<bool>,
}

impl RawTrigger {
    pub fn trigger(&self, index: usize, reader: Reader<'_>) -> Result<Trigger, ManifestError> {
        if !matches!(self.kind.value.as_str(), "redis" | "redis-cluster") {
            return Err(reader.refuse(
                line(&self.kind),
                format!("a trigger of type {:?} is not understood", self.kind.value),
                "use redis or redis-cluster; for CPU and memory a HorizontalPodAutoscaler, for hours of the day the calendar",
            ));
        }
        let metadata = &self.metadata.value;
        if let Some(key) = metadata.keys().find(|key| !is_redis_key(key)) {
            return Err(reader.refuse(
                line(&self.metadata),
                format!("a redis trigger has no {key:?}"),
                "leave it out, or correct its name",
            ));
        }
        // Hysio reads the lists itself: where KEDA would find them matters to KEDA alone.
        let nothing = BTreeMap::new();
        let mut stated = metadata.clone();
        if !metadata.keys().any(|key| is_address_key(key)) {
            stated.insert("address".to_owned(), "authenticationRef".to_owned());
        }
        for key in metadata.keys().filter(|key| key.ends_with("FromEnv")) {
            stated.insert(key.trim_end_matches("FromEnv").to_owned(), "1".to_owned());
        }
        let list = redis::parse(&Parameters {
            metadata: &stated,
            auth: &nothing,
            env: &nothing,
        })
        .map_err(|why| {
            reader.refuse(line(&self.metadata), why, "correct the trigger's metadata")
        })?;
        if list.list_length < 1 || list.activation_list_length < 0 {
            return Err(reader.refuse(
                line(&self.metadata),
                format!(
                    "listLength is {}, activationListLength {}",
                    list.list_length, list.activation_list_length
                ),
                "use a listLength from 1 and an activationListLength from 0",
            ));
        }
        Ok(Trigger {
            name: self.name.as_ref().map(|one| one.value.clone()),
            metric: redis::metric_name(index, &list.list_name),
            list,
            is_average: is_average(self.metric_type.as_ref(), reader)?,
        })
    }
}

fn is_redis_key(key: &str) -> bool {
    matches!(
        key.trim_end_matches("FromEnv"),
        "listName"
            | "listLength"
            | "activationListLength"
            | "databaseIndex"
            | "enableTLS"
            | "unsafeSsl"
            | "username"
            | "password"
    ) || is_address_key(key)
}

fn is_address_key(key: &str) -> bool {
    matches!(
        key.trim_end_matches("FromEnv"),
        "address" | "addresses" | "host" | "hosts" | "port" | "ports"
    )
}

pub fn is_average(
    raw: Option<&Spanned<String>>,
    reader: Reader<'_>,
) -> Result<bool, ManifestError> {
    match raw {
        None => Ok(true),
        Some(raw) => match raw.value.as_str() {
            "AverageValue" | "" => Ok(true),
            "Value" => Ok(false),
            other => Err(reader.refuse(
                line(raw),
                format!("metricType is {other:?}"),
                "use AverageValue or Value",
            )),
        },
    }
}
