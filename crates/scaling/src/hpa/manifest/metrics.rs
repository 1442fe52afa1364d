//! `metrics`: what is measured, and what it is held against.

use std::collections::BTreeMap;

use serde::{Deserialize, de::IgnoredAny};
use serde_saphyr::Spanned;

use super::{BURSTABLE, RawObject};
use crate::{
    hpa::{Metric, Source, Target, quantity::parse_milli},
    manifest::{ManifestError, Reader, line},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawMetric {
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

impl RawMetric {
    pub fn metric(&self, reader: Reader<'_>, burstable: bool) -> Result<Metric, ManifestError> {
        self.check_one_source(reader)?;
        let (source, target) = match self.kind.value.as_str() {
            "Resource" => {
                let raw = self.of(self.resource.as_ref(), reader, "resource")?;
                let name = resource_name(&raw.name, reader)?;
                let source = Source::Resource { name };
                (source, raw.target.of_resource(reader, burstable)?)
            }
            "ContainerResource" => {
                let raw = self.of(
                    self.container_resource.as_ref(),
                    reader,
                    "containerResource",
                )?;
                let name = resource_name(&raw.name, reader)?;
                let container = raw.container.clone();
                let source = Source::ContainerResource { name, container };
                (source, raw.target.of_resource(reader, burstable)?)
            }
            "Pods" => {
                let raw = self.of(self.pods.as_ref(), reader, "pods")?;
                let metric = raw.metric.signal(reader)?;
                let target = raw.target.of_value(reader, &["AverageValue"])?;
                (Source::Pods { metric }, target)
            }
            "Object" => {
                let raw = self.of(self.object.as_ref(), reader, "object")?;
                let metric = raw.metric.signal(reader)?;
                let target = raw.target.of_value(reader, &["Value", "AverageValue"])?;
                (Source::Object { metric }, target)
            }
            "External" => {
                let raw = self.of(self.external.as_ref(), reader, "external")?;
                let metric = raw.metric.signal(reader)?;
                let target = raw.target.of_value(reader, &["Value", "AverageValue"])?;
                (Source::External { metric }, target)
            }
            other => {
                return Err(reader.refuse(
                    line(&self.kind),
                    format!("unknown metric type {other:?}"),
                    "use Resource, ContainerResource, Pods, Object or External",
                ));
            }
        };
        Ok(Metric { source, target })
    }

    fn check_one_source(&self, reader: Reader<'_>) -> Result<(), ManifestError> {
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
        Ok(())
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
