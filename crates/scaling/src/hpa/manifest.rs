//! `autoscaling/v2` HorizontalPodAutoscaler as YAML, checked as the API server checks it, and a little more.

mod metrics;
mod rules;

use serde::{Deserialize, de::IgnoredAny};
use serde_saphyr::Spanned;

use self::metrics::RawMetric;
pub(crate) use self::rules::RawBehavior;
use super::{Metric, Source, Spec, Target};
use crate::{
    Resource,
    manifest::{ManifestError, Metadata, Reader, line},
};

/// Permits targets over 100 %: for pods whose requests are meant to be exceeded. Without it they are refused, as a pod that
/// always uses more than it asks for is one whose request is wrong.
pub const BURSTABLE: &str = "hysio/burstable";

/// A manifest that was understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    pub name: String,
    pub resource: Resource,
    pub spec: Spec,
}

/// Every HorizontalPodAutoscaler of a file, which may hold other documents too.
///
/// # Errors
/// The first thing that is refused, with its line and the way out.
pub fn parse(file: &str, text: &str) -> Result<Vec<Manifest>, ManifestError> {
    let reader = Reader { file };
    reader
        .documents::<RawHpa>(text, "HorizontalPodAutoscaler", "autoscaling/v2")?
        .into_iter()
        .map(|raw| raw.manifest(reader))
        .collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawHpa {
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
    scale_target_ref: RawObject,
    min_replicas: Option<Spanned<i32>>,
    max_replicas: Spanned<i32>,
    #[serde(default)]
    metrics: Vec<Spanned<RawMetric>>,
    behavior: Option<RawBehavior>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawObject {
    #[serde(rename = "apiVersion")]
    _api_version: Option<IgnoredAny>,
    kind: Spanned<String>,
    name: Spanned<String>,
}

impl RawHpa {
    fn manifest(self, reader: Reader<'_>) -> Result<Manifest, ManifestError> {
        let spec = self.spec;
        let target = &spec.scale_target_ref;
        if target.kind.value != "Deployment" {
            return Err(reader.refuse(
                line(&target.kind),
                format!("a {} is not scaled", target.kind.value),
                "use kind: Deployment",
            ));
        }
        let resource = reader.workload(&target.name)?;
        let burstable =
            self.metadata.annotations.get(BURSTABLE).map(String::as_str) == Some("true");
        let mut metrics = Vec::with_capacity(spec.metrics.len());
        for metric in &spec.metrics {
            metrics.push(metric.value.metric(reader, burstable)?);
        }
        if metrics.is_empty() {
            metrics.push(default_metric());
        }
        let (min_replicas, max_replicas) = spec.bounds(reader, &metrics)?;
        let behavior = match &spec.behavior {
            None => None,
            Some(raw) => Some(raw.behavior(reader)?),
        };
        Ok(Manifest {
            name: self.metadata.name,
            resource,
            spec: Spec {
                min_replicas,
                max_replicas,
                metrics,
                behavior,
            },
        })
    }
}

/// The API's own, where no metric is given.
fn default_metric() -> Metric {
    Metric {
        source: Source::Resource {
            name: "cpu".to_owned(),
        },
        target: Target {
            average_utilization: Some(80),
            ..Target::default()
        },
    }
}

impl RawSpec {
    fn bounds(&self, reader: Reader<'_>, metrics: &[Metric]) -> Result<(i32, i32), ManifestError> {
        let max = self.max_replicas.value;
        if max < 1 {
            return Err(reader.refuse(
                line(&self.max_replicas),
                format!("maxReplicas is {max}"),
                "use 1 or more",
            ));
        }
        let Some(raw) = &self.min_replicas else {
            return Ok((1, max));
        };
        let min = raw.value;
        if min > max {
            return Err(reader.refuse(
                line(raw),
                format!("minReplicas {min} is above maxReplicas {max}"),
                format!("lower minReplicas to {max} or raise maxReplicas to {min}"),
            ));
        }
        let wakes = metrics.iter().any(|one| one.source.is_outside_of_pods());
        if min < 0 || (min == 0 && !wakes) {
            return Err(reader.refuse(
                line(raw),
                format!("minReplicas is {min}, and no metric could tell when to start again"),
                "use 1 or more, or 0 together with an Object or External metric",
            ));
        }
        Ok((min, max))
    }
}
