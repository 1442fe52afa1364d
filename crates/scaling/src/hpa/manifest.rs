//! `autoscaling/v2` HorizontalPodAutoscaler as YAML, checked as the API server checks it, and a little more.

mod rules;

use std::collections::BTreeMap;

use serde::{Deserialize, de::IgnoredAny};
use serde_saphyr::Spanned;

pub(crate) use self::rules::RawBehavior;
use super::{Metric, Source, Spec, Target, quantity::parse_milli};
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawMetric {
    #[serde(rename = "type")]
    kind: Spanned<String>,
    resource: Option<RawResource>,
    container_resource: Option<RawContainerResource>,
    pods: Option<RawNamed>,
    object: Option<RawObjectMetric>,
    external: Option<RawNamed>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawResource {
    name: Spanned<String>,
    target: RawTarget,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawContainerResource {
    name: Spanned<String>,
    container: String,
    target: RawTarget,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNamed {
    metric: RawIdentifier,
    target: RawTarget,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawObjectMetric {
    #[serde(rename = "describedObject")]
    _described_object: RawObject,
    metric: RawIdentifier,
    target: RawTarget,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawIdentifier {
    name: Spanned<String>,
    #[serde(default)]
    selector: RawSelector,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct RawSelector {
    match_labels: BTreeMap<String, String>,
    match_expressions: Vec<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawTarget {
    #[serde(rename = "type")]
    kind: Spanned<String>,
    average_utilization: Option<Spanned<i32>>,
    average_value: Option<Spanned<String>>,
    value: Option<Spanned<String>>,
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

impl RawMetric {
    fn metric(&self, reader: Reader<'_>, burstable: bool) -> Result<Metric, ManifestError> {
        let sources = [
            self.resource.is_some(),
            self.container_resource.is_some(),
            self.pods.is_some(),
            self.object.is_some(),
            self.external.is_some(),
        ];
        if sources.iter().filter(|is_there| **is_there).count() > 1 {
            return Err(reader.refuse(
                line(&self.kind),
                "a metric has more than one source",
                "make two metrics of it",
            ));
        }
        match self.kind.value.as_str() {
            "Resource" => {
                let raw = self.of(self.resource.as_ref(), reader, "resource")?;
                let name = resource_name(&raw.name, reader)?;
                let target = raw.target.of_resource(reader, burstable)?;
                Ok(Metric {
                    source: Source::Resource { name },
                    target,
                })
            }
            "ContainerResource" => {
                let raw = self.of(
                    self.container_resource.as_ref(),
                    reader,
                    "containerResource",
                )?;
                let name = resource_name(&raw.name, reader)?;
                let target = raw.target.of_resource(reader, burstable)?;
                let container = raw.container.clone();
                Ok(Metric {
                    source: Source::ContainerResource { name, container },
                    target,
                })
            }
            "Pods" => {
                let raw = self.of(self.pods.as_ref(), reader, "pods")?;
                let target = raw.target.of_value(reader, &["AverageValue"])?;
                let metric = raw.metric.signal(reader)?;
                Ok(Metric {
                    source: Source::Pods { metric },
                    target,
                })
            }
            "Object" => {
                let raw = self.of(self.object.as_ref(), reader, "object")?;
                let target = raw.target.of_value(reader, &["Value", "AverageValue"])?;
                let metric = raw.metric.signal(reader)?;
                Ok(Metric {
                    source: Source::Object { metric },
                    target,
                })
            }
            "External" => {
                let raw = self.of(self.external.as_ref(), reader, "external")?;
                let target = raw.target.of_value(reader, &["Value", "AverageValue"])?;
                let metric = raw.metric.signal(reader)?;
                Ok(Metric {
                    source: Source::External { metric },
                    target,
                })
            }
            other => Err(reader.refuse(
                line(&self.kind),
                format!("unknown metric type {other:?}"),
                "use Resource, ContainerResource, Pods, Object or External",
            )),
        }
    }

    fn of<'a, T>(
        &self,
        source: Option<&'a T>,
        reader: Reader<'_>,
        key: &str,
    ) -> Result<&'a T, ManifestError> {
        source.ok_or_else(|| {
            reader.refuse(
                line(&self.kind),
                format!("a metric of type {} has no {key}", self.kind.value),
                format!("add {key}: with its name and target"),
            )
        })
    }
}

fn resource_name(name: &Spanned<String>, reader: Reader<'_>) -> Result<String, ManifestError> {
    match name.value.as_str() {
        "cpu" | "memory" => Ok(name.value.clone()),
        other => Err(reader.refuse(
            line(name),
            format!("the resource {other:?} is not measured"),
            "use cpu or memory",
        )),
    }
}

impl RawIdentifier {
    /// The signal's name: `name{key="value"}`, as a snapshot has it.
    fn signal(&self, reader: Reader<'_>) -> Result<String, ManifestError> {
        if !self.selector.match_expressions.is_empty() {
            return Err(reader.refuse(
                line(&self.name),
                format!("the selector of {} has matchExpressions", self.name.value),
                "use matchLabels, which name one series",
            ));
        }
        let labels: Vec<_> = self
            .selector
            .match_labels
            .iter()
            .map(|(key, value)| format!("{key}={value:?}"))
            .collect();
        Ok(if labels.is_empty() {
            self.name.value.clone()
        } else {
            format!("{}{{{}}}", self.name.value, labels.join(","))
        })
    }
}

impl RawTarget {
    fn of_resource(&self, reader: Reader<'_>, burstable: bool) -> Result<Target, ManifestError> {
        if self.kind.value != "Utilization" {
            return self.of_value(reader, &["Utilization", "AverageValue"]);
        }
        let Some(percent) = &self.average_utilization else {
            return Err(self.lacks(reader, "averageUtilization"));
        };
        if percent.value < 1 {
            return Err(reader.refuse(
                line(percent),
                format!("averageUtilization is {} %", percent.value),
                "use a percentage of the request from 1",
            ));
        }
        if percent.value > 100 && !burstable {
            return Err(reader.refuse(
                line(percent),
                format!(
                    "averageUtilization {} % has every pod use more than it requests",
                    percent.value
                ),
                format!(
                    "use 1 to 100, or set the annotation {BURSTABLE}: \"true\" where requests are meant to be exceeded"
                ),
            ));
        }
        self.only(reader, "averageUtilization")?;
        Ok(Target {
            average_utilization: Some(percent.value),
            ..Target::default()
        })
    }

    fn of_value(&self, reader: Reader<'_>, kinds: &[&str]) -> Result<Target, ManifestError> {
        let kind = self.kind.value.as_str();
        if !kinds.contains(&kind) {
            return Err(reader.refuse(
                line(&self.kind),
                format!("a target of type {kind:?} does not suit this metric"),
                format!("use {}", kinds.join(" or ")),
            ));
        }
        let (key, raw) = match kind {
            "Value" => ("value", &self.value),
            _ => ("averageValue", &self.average_value),
        };
        let Some(raw) = raw else {
            return Err(self.lacks(reader, key));
        };
        let milli = parse_milli(&raw.value)
            .map_err(|why| reader.refuse(line(raw), format!("{key}: {why}"), "write a quantity"))?;
        if milli < 1 {
            return Err(reader.refuse(
                line(raw),
                format!("{key} is {}", raw.value),
                "use a quantity above 0",
            ));
        }
        self.only(reader, key)?;
        Ok(Target {
            average_value: (key == "averageValue").then_some(milli),
            value: (key == "value").then_some(milli),
            ..Target::default()
        })
    }

    fn lacks(&self, reader: Reader<'_>, key: &str) -> ManifestError {
        reader.refuse(
            line(&self.kind),
            format!("a target of type {} has no {key}", self.kind.value),
            format!("add {key}"),
        )
    }

    fn only(&self, reader: Reader<'_>, key: &str) -> Result<(), ManifestError> {
        let given = [
            ("averageUtilization", self.average_utilization.is_some()),
            ("averageValue", self.average_value.is_some()),
            ("value", self.value.is_some()),
        ];
        match given
            .iter()
            .find(|(name, is_there)| *is_there && *name != key)
        {
            None => Ok(()),
            Some((surplus, _)) => Err(reader.refuse(
                line(&self.kind),
                format!("a target of type {} has {surplus} too", self.kind.value),
                format!("leave {surplus} out"),
            )),
        }
    }
}
