//! Whole decisions.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    super::{
        Given,
        pods::{Pod, PodMetric, millis, requests_of, samples},
    },
    behavior::{RulesInput, behavior_of},
};
use crate::hpa::{
    Metric, Settings, Source, Spec, Target,
    behavior::ScaleEvents,
    reconcile::{Condition, Input, Reading},
    stabilize::Recommendation,
};

#[derive(Deserialize)]
pub struct Case {
    hpa: Hpa,
    spec_replicas: i32,
    status_replicas: i32,
    recommendations: Option<Vec<RecommendationInput>>,
    #[serde(default)]
    initial_conditions: Vec<ConditionInput>,
    features: Features,
    input: World,
}

#[derive(Deserialize)]
struct Hpa {
    min_replicas: Option<i32>,
    max_replicas: i32,
    metrics: Vec<MetricInput>,
    scale_up: Option<RulesInput>,
    scale_down: Option<RulesInput>,
}

#[derive(Deserialize)]
struct MetricInput {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    resource: String,
    #[serde(default)]
    container: String,
    #[serde(default)]
    metric: String,
    #[serde(default)]
    target: TargetInput,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TargetInput {
    #[serde(rename = "averageUtilization")]
    average_utilization: Option<i32>,
    #[serde(rename = "averageValue_milli")]
    average_value: Option<i64>,
    #[serde(rename = "value_milli")]
    value: Option<i64>,
}

#[derive(Deserialize)]
struct RecommendationInput {
    replicas: i32,
    time_s: f64,
}

#[derive(Deserialize)]
struct ConditionInput {
    #[serde(rename = "type")]
    kind: String,
    status: String,
}

#[derive(Deserialize)]
struct Features {
    #[serde(default)]
    configurable_tolerance: bool,
    #[serde(default)]
    scale_to_zero: bool,
    #[serde(default)]
    pod_level_resources: bool,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct World {
    pods: Vec<Pod>,
    resource_metrics: Vec<PodMetric>,
    pods_metric_values: Vec<PodMetric>,
    object_metric_value_milli: Option<i64>,
    external_metric_values_milli: Vec<i64>,
}

pub fn reconcile(case: &Case, settings: &Settings) -> Given {
    let settings = Settings {
        configurable_tolerance: case.features.configurable_tolerance,
        scale_to_zero: case.features.scale_to_zero,
        ..settings.clone()
    };
    let spec = case.hpa.spec();
    let pods: Vec<_> = case.input.pods.iter().map(Pod::state).collect();
    let readings: Vec<_> = spec
        .metrics
        .iter()
        .map(|metric| case.reading(&metric.source))
        .collect();
    let mut recommendations = case.recommendations.as_ref().map(|list| {
        list.iter()
            .map(|one| Recommendation {
                replicas: one.replicas,
                at: millis(one.time_s),
            })
            .collect()
    });
    let outcome = crate::hpa::reconcile(
        &Input {
            spec: &spec,
            settings: &settings,
            current: case.spec_replicas,
            running: case.status_replicas,
            pods: &pods,
            readings: &readings,
            events: &ScaleEvents::default(),
            scaled_to_zero: case.scaled_to_zero(),
            now: 0,
        },
        &mut recommendations,
    );
    let conditions: Vec<_> = outcome.conditions.iter().map(condition).collect();
    Ok(Map::from_iter([
        ("replicas".to_owned(), json!(outcome.desired)),
        ("conditions".to_owned(), Value::Array(conditions)),
    ]))
}

fn condition(condition: &Condition) -> Value {
    json!({
        "type": condition.kind.as_str(),
        "status": if condition.status { "True" } else { "False" },
        "reason": condition.reason,
    })
}

impl Hpa {
    fn spec(&self) -> Spec {
        let given = self.scale_up.is_some() || self.scale_down.is_some();
        Spec {
            min_replicas: self.min_replicas.unwrap_or(1),
            max_replicas: self.max_replicas,
            metrics: self.metrics.iter().map(MetricInput::metric).collect(),
            behavior: given.then(|| behavior_of(self.scale_up.as_ref(), self.scale_down.as_ref())),
        }
    }
}

impl MetricInput {
    fn metric(&self) -> Metric {
        let metric = self.metric.clone();
        let name = self.resource.clone();
        Metric {
            source: match self.kind.as_str() {
                "Resource" => Source::Resource { name },
                "ContainerResource" => Source::ContainerResource {
                    name,
                    container: self.container.clone(),
                },
                "Pods" => Source::Pods { metric },
                "Object" => Source::Object { metric },
                "External" => Source::External { metric },
                other => Source::Unknown {
                    type_name: other.to_owned(),
                },
            },
            target: Target {
                average_utilization: self.target.average_utilization,
                average_value: self.target.average_value,
                value: self.target.value,
            },
        }
    }
}

impl Case {
    fn scaled_to_zero(&self) -> Option<bool> {
        self.initial_conditions
            .iter()
            .find(|one| one.kind == "ScaledToZero")
            .map(|one| one.status == "True")
    }

    /// What the metrics clients of the tests answered.
    fn reading(&self, source: &Source) -> Result<Reading, String> {
        let world = &self.input;
        match source {
            Source::Resource { name } => self.of_resource(name, None),
            Source::ContainerResource { name, container } => {
                self.of_resource(name, Some(container))
            }
            Source::Pods { metric } => {
                measured(&world.pods_metric_values, metric)?;
                Ok(Reading::OfPods {
                    samples: samples(&world.pods, &world.pods_metric_values, "", None),
                    requests: Err("no requests".to_owned()),
                })
            }
            Source::Object { metric } => world
                .object_metric_value_milli
                .map(|value| Reading::Total {
                    values: vec![value],
                })
                .ok_or_else(|| format!("unable to get metric {metric}")),
            Source::External { metric } => {
                measured(&world.external_metric_values_milli, metric)?;
                Ok(Reading::Total {
                    values: world.external_metric_values_milli.clone(),
                })
            }
            Source::Unknown { type_name } => Err(format!("unknown metric source type {type_name}")),
        }
    }

    fn of_resource(&self, name: &str, container: Option<&str>) -> Result<Reading, String> {
        let world = &self.input;
        measured(&world.resource_metrics, name)?;
        Ok(Reading::OfPods {
            samples: samples(&world.pods, &world.resource_metrics, name, container),
            requests: requests_of(
                &world.pods,
                name,
                container,
                self.features.pod_level_resources,
            ),
        })
    }
}

fn measured<T>(values: &[T], metric: &str) -> Result<(), String> {
    if values.is_empty() {
        return Err(format!("unable to get metrics for {metric}: none returned"));
    }
    Ok(())
}
