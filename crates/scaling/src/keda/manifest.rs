//! `keda.sh/v1alpha1` ScaledObject as YAML, checked as KEDA's webhook checks it, and a little more.

mod modifiers;
mod triggers;

use serde::{Deserialize, de::IgnoredAny};
use serde_saphyr::Spanned;

pub use self::{modifiers::Modifiers, triggers::Trigger};
use self::{modifiers::RawModifiers, triggers::RawTrigger};
use super::{
    Counts,
    activation::{Annotations, DEFAULT_COOLDOWN_SECONDS},
    fallback::{Behavior as FallbackBehavior, Fallback},
};
use crate::{
    Resource,
    hpa::{Behavior, manifest::RawBehavior},
    manifest::{ManifestError, Metadata, Reader, line},
};

/// A ScaledObject that was understood.
#[derive(Clone, Debug, PartialEq)]
pub struct ScaledObject {
    pub name: String,
    pub resource: Resource,
    pub counts: Counts,
    pub annotations: Annotations,
    /// How often KEDA itself would look.
    pub polling_seconds: i64,
    pub cooldown_seconds: i64,
    pub initial_cooldown_seconds: i64,
    pub fallback: Option<Fallback>,
    pub behavior: Option<Behavior>,
    pub modifiers: Option<Modifiers>,
    pub triggers: Vec<Trigger>,
}

/// Every ScaledObject of a file, which may hold other documents too.
///
/// # Errors
/// The first thing that is refused, with its line and the way out.
pub fn parse(file: &str, text: &str) -> Result<Vec<ScaledObject>, ManifestError> {
    let reader = Reader { file };
    reader
        .documents::<RawObject>(text, "ScaledObject", "keda.sh/v1alpha1")?
        .into_iter()
        .map(|raw| raw.scaled_object(reader))
        .collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawObject {
    #[serde(rename = "apiVersion")]
    _api_version: IgnoredAny,
    #[serde(rename = "kind")]
    _kind: IgnoredAny,
    metadata: Metadata,
    spec: RawSpec,
    #[serde(rename = "status")]
    _status: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawSpec {
    scale_target_ref: RawTarget,
    polling_interval: Option<Spanned<i64>>,
    cooldown_period: Option<Spanned<i64>>,
    initial_cooldown_period: Option<Spanned<i64>>,
    idle_replica_count: Option<Spanned<i32>>,
    min_replica_count: Option<Spanned<i32>>,
    max_replica_count: Option<Spanned<i32>>,
    advanced: Option<RawAdvanced>,
    fallback: Option<RawFallback>,
    triggers: Spanned<Vec<RawTrigger>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawTarget {
    #[serde(rename = "apiVersion")]
    _api_version: Option<IgnoredAny>,
    kind: Option<Spanned<String>>,
    name: Spanned<String>,
    #[serde(rename = "envSourceContainerName")]
    _env_source: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawAdvanced {
    #[serde(rename = "restoreToOriginalReplicaCount")]
    _restore: Option<bool>,
    horizontal_pod_autoscaler_config: Option<RawHpaConfig>,
    scaling_modifiers: Option<RawModifiers>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHpaConfig {
    #[serde(rename = "name")]
    _name: Option<IgnoredAny>,
    behavior: Option<RawBehavior>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawFallback {
    failure_threshold: Spanned<i32>,
    replicas: Spanned<i32>,
    behavior: Option<Spanned<String>>,
}

impl RawObject {
    fn scaled_object(self, reader: Reader<'_>) -> Result<ScaledObject, ManifestError> {
        let spec = &self.spec;
        let resource = spec.scale_target_ref.resource(reader)?;
        let triggers = spec.triggers(reader)?;
        let fallback = spec.fallback(reader)?;
        let advanced = spec.advanced.as_ref();
        let modifiers = match advanced.and_then(|one| one.scaling_modifiers.as_ref()) {
            None => None,
            Some(raw) => Some(raw.modifiers(reader, &triggers)?),
        };
        let behavior = advanced
            .and_then(|one| one.horizontal_pod_autoscaler_config.as_ref())
            .and_then(|one| one.behavior.as_ref())
            .map(|raw| raw.behavior(reader))
            .transpose()?;
        Ok(ScaledObject {
            resource,
            counts: spec.counts(reader)?,
            annotations: annotations(&self.metadata, reader)?,
            polling_seconds: seconds(spec.polling_interval.as_ref(), 30, 1, reader)?,
            cooldown_seconds: seconds(
                spec.cooldown_period.as_ref(),
                DEFAULT_COOLDOWN_SECONDS,
                0,
                reader,
            )?,
            initial_cooldown_seconds: seconds(spec.initial_cooldown_period.as_ref(), 0, 0, reader)?,
            fallback,
            behavior,
            modifiers,
            triggers,
            name: self.metadata.name,
        })
    }
}

impl RawTarget {
    fn resource(&self, reader: Reader<'_>) -> Result<Resource, ManifestError> {
        match &self.kind {
            Some(kind) if kind.value != "Deployment" => Err(reader.refuse(
                line(kind),
                format!("a {} is not scaled", kind.value),
                "use kind: Deployment",
            )),
            _ => reader.workload(&self.name),
        }
    }
}

impl RawSpec {
    fn counts(&self, reader: Reader<'_>) -> Result<Counts, ManifestError> {
        let value = |raw: &Option<Spanned<i32>>| raw.as_ref().map(|one| one.value);
        let counts = Counts {
            min: value(&self.min_replica_count),
            max: value(&self.max_replica_count),
            idle: value(&self.idle_replica_count),
        };
        let all = [
            (&self.min_replica_count, "minReplicaCount", 0),
            (&self.max_replica_count, "maxReplicaCount", 1),
            (&self.idle_replica_count, "idleReplicaCount", 0),
        ];
        for (raw, key, least) in all {
            if let Some(raw) = raw.as_ref().filter(|one| one.value < least) {
                return Err(reader.refuse(
                    line(raw),
                    format!("{key} is {}", raw.value),
                    format!("use {least} or more"),
                ));
            }
        }
        if let Some(idle) = self.idle_replica_count.as_ref().filter(|one| one.value > 0) {
            return Err(reader.refuse(
                line(idle),
                format!(
                    "idleReplicaCount {} does not last: the autoscaler raises it to minReplicaCount",
                    idle.value
                ),
                "use 0, or leave it out and set minReplicaCount",
            ));
        }
        counts.check().map_err(|why| {
            let place = self.idle_replica_count.as_ref();
            let place = place.or(self.min_replica_count.as_ref());
            let place = place.or(self.max_replica_count.as_ref());
            reader.refuse(
                place.map_or(1, line),
                why,
                "set idleReplicaCount < minReplicaCount ≤ maxReplicaCount (which are 0 and 100 if left out)",
            )
        })?;
        Ok(counts)
    }

    fn fallback(&self, reader: Reader<'_>) -> Result<Option<Fallback>, ManifestError> {
        let Some(raw) = &self.fallback else {
            return Ok(None);
        };
        for (value, key) in [
            (&raw.failure_threshold, "failureThreshold"),
            (&raw.replicas, "replicas"),
        ] {
            if value.value < 0 {
                return Err(reader.refuse(
                    line(value),
                    format!("the fallback's {key} is {}", value.value),
                    "use 0 or more",
                ));
            }
        }
        let name = raw.behavior.as_ref().map_or("", |one| one.value.as_str());
        let behavior = FallbackBehavior::named(name).ok_or_else(|| {
            reader.refuse(
                raw.behavior.as_ref().map_or(1, line),
                format!("unknown fallback behavior {name:?}"),
                "use static, currentReplicas, currentReplicasIfHigher, currentReplicasIfLower or scalingModifiers",
            )
        })?;
        Ok(Some(Fallback {
            failure_threshold: raw.failure_threshold.value,
            replicas: raw.replicas.value,
            behavior,
        }))
    }

    fn triggers(&self, reader: Reader<'_>) -> Result<Vec<Trigger>, ManifestError> {
        if self.triggers.value.is_empty() {
            return Err(reader.refuse(
                line(&self.triggers),
                "there are no triggers",
                "add one of type redis",
            ));
        }
        let mut triggers: Vec<Trigger> = Vec::new();
        for (index, raw) in self.triggers.value.iter().enumerate() {
            let trigger = raw.trigger(index, reader)?;
            if let Some(name) = &raw.name
                && triggers.iter().any(|one| one.name == trigger.name)
            {
                return Err(reader.refuse(
                    line(name),
                    format!("two triggers are named {:?}", name.value),
                    "give each its own name",
                ));
            }
            triggers.push(trigger);
        }
        Ok(triggers)
    }
}

fn seconds(
    raw: Option<&Spanned<i64>>,
    default: i64,
    least: i64,
    reader: Reader<'_>,
) -> Result<i64, ManifestError> {
    match raw {
        None => Ok(default),
        Some(raw) if (least..=86_400 * 7).contains(&raw.value) => Ok(raw.value),
        Some(raw) => Err(reader.refuse(
            line(raw),
            format!("{} seconds make no sense here", raw.value),
            format!("use {least} to a week"),
        )),
    }
}

/// A switch that isn't written as a boolean is on, as KEDA has it for `paused`.
fn annotations(metadata: &Metadata, reader: Reader<'_>) -> Result<Annotations, ManifestError> {
    let of = |name: &str| {
        metadata
            .annotations
            .get(&format!("autoscaling.keda.sh/{name}"))
    };
    let is_on = |name: &str| {
        of(name).is_some_and(|value| {
            !matches!(
                value.as_str(),
                "false" | "False" | "FALSE" | "f" | "F" | "0"
            )
        })
    };
    let paused_replicas = match of("paused-replicas") {
        None => None,
        Some(text) => Some(
            text.parse()
                .ok()
                .filter(|count| *count >= 0)
                .ok_or_else(|| {
                    reader.refuse(
                        1,
                        format!("the annotation autoscaling.keda.sh/paused-replicas is {text:?}"),
                        "use a whole number from 0",
                    )
                })?,
        ),
    };
    Ok(Annotations {
        paused: is_on("paused"),
        paused_replicas,
        paused_scale_in: is_on("paused-scale-in"),
        paused_scale_out: is_on("paused-scale-out"),
        force_activation: is_on("force-activation"),
    })
}
