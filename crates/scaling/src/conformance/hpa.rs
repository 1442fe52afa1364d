//! The HorizontalPodAutoscaler's functions, by the vectors' names for them.

mod behavior;
mod reconcile;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    CannotRun, Given, Parameters, inputs,
    pods::{Pod, PodMetric, requests_of, samples},
};
use crate::hpa::{
    Settings,
    pods::{PodState, Samples, Standing},
    replicas::{
        Census, Seen, Tolerances, Wanted, by_average, by_share, by_utilization, by_value,
        external_total,
    },
};

/// `None` if the HorizontalPodAutoscaler has no such function.
pub fn call(
    function: &str,
    arguments: &Value,
    parameters: &Parameters,
) -> Option<Result<Given, CannotRun>> {
    let settings = parameters.settings();
    Some(match function {
        "resource_utilization" => {
            inputs(arguments).map(|one: Calculation| resource_utilization(&one, &settings))
        }
        "pods_average_value" => {
            inputs(arguments).map(|one: Calculation| pods_average_value(&one, &settings))
        }
        "object_value" | "external_value" => {
            inputs(arguments).map(|one: Calculation| total_value(&one))
        }
        "object_average_value" | "external_average_value" => {
            inputs(arguments).map(|one: Calculation| total_average_value(&one))
        }
        "group_pods" => inputs(arguments).map(|one: Calculation| group_pods(&one, &settings)),
        "pod_requests" => inputs(arguments).map(|one: Calculation| pod_requests(&one)),
        "reconcile" => {
            inputs(arguments).map(|one: reconcile::Case| reconcile::reconcile(&one, &settings))
        }
        _ => return behavior::call(function, arguments),
    })
}

impl Parameters {
    fn settings(&self) -> Settings {
        let own = Settings::default();
        Settings {
            tolerance: self.tolerance.unwrap_or(own.tolerance),
            downscale_stabilization_seconds: self
                .downscale_stabilization_window_s
                .unwrap_or(own.downscale_stabilization_seconds),
            cpu_initialization_seconds: self
                .cpu_initialization_period_s
                .unwrap_or(own.cpu_initialization_seconds),
            initial_readiness_seconds: self
                .initial_readiness_delay_s
                .unwrap_or(own.initial_readiness_seconds),
            scale_up_limit_factor: self
                .scale_up_limit_factor
                .unwrap_or(own.scale_up_limit_factor),
            scale_up_limit_minimum: self
                .scale_up_limit_minimum
                .unwrap_or(own.scale_up_limit_minimum),
            ..own
        }
    }
}

/// The inputs of everything about one metric.
#[derive(Deserialize)]
#[serde(default)]
struct Calculation {
    current_replicas: i32,
    pods: Vec<Pod>,
    pod_metrics: Vec<PodMetric>,
    metric_values_milli: Vec<i64>,
    resource: String,
    container: String,
    pod_level_resources_enabled: bool,
    target_utilization_percent: i32,
    target_average_milli: i64,
    target_milli: i64,
    tolerance_down: f64,
    tolerance_up: f64,
}

impl Default for Calculation {
    fn default() -> Self {
        Self {
            current_replicas: 0,
            pods: Vec::new(),
            pod_metrics: Vec::new(),
            metric_values_milli: Vec::new(),
            resource: String::new(),
            container: String::new(),
            pod_level_resources_enabled: false,
            target_utilization_percent: 0,
            target_average_milli: 0,
            target_milli: 0,
            tolerance_down: 0.1,
            tolerance_up: 0.1,
        }
    }
}

impl Calculation {
    fn states(&self) -> Vec<PodState> {
        self.pods.iter().map(Pod::state).collect()
    }

    fn container(&self) -> Option<&str> {
        Some(self.container.as_str()).filter(|name| !name.is_empty())
    }

    fn tolerances(&self) -> Tolerances {
        Tolerances {
            down: self.tolerance_down,
            up: self.tolerance_up,
        }
    }

    /// The metrics client fails where nothing at all is measured.
    fn samples(&self) -> Result<Samples, String> {
        if self.pod_metrics.is_empty() {
            return Err(format!(
                "unable to get metrics for resource {}: no metrics returned from resource metrics API",
                self.resource
            ));
        }
        Ok(samples(
            &self.pods,
            &self.pod_metrics,
            &self.resource,
            self.container(),
        ))
    }
}

fn resource_utilization(calculation: &Calculation, settings: &Settings) -> Given {
    let samples = calculation.samples()?;
    let states = calculation.states();
    let is_cpu = calculation.resource == "cpu";
    let census = Census::new(&states, &samples, is_cpu, settings, 0);
    let requests = requests_of(
        &calculation.pods,
        &calculation.resource,
        calculation.container(),
        calculation.pod_level_resources_enabled,
    );
    by_utilization(
        calculation.current_replicas,
        calculation.target_utilization_percent,
        calculation.tolerances(),
        &census,
        &requests,
    )
    .map(given)
}

fn pods_average_value(calculation: &Calculation, settings: &Settings) -> Given {
    let samples = calculation.samples()?;
    let states = calculation.states();
    let is_cpu = calculation.resource == "cpu";
    let census = Census::new(&states, &samples, is_cpu, settings, 0);
    by_average(
        calculation.current_replicas,
        calculation.target_average_milli,
        calculation.tolerances(),
        &census,
    )
    .map(given)
}

fn total_value(calculation: &Calculation) -> Given {
    by_value(
        calculation.current_replicas,
        total(calculation)?,
        calculation.target_milli,
        calculation.tolerances(),
        &calculation.states(),
    )
    .map(given)
}

fn total_average_value(calculation: &Calculation) -> Given {
    Ok(given(by_share(
        calculation.current_replicas,
        total(calculation)?,
        calculation.target_average_milli,
        calculation.tolerances(),
    )))
}

fn total(calculation: &Calculation) -> Result<i64, String> {
    if calculation.metric_values_milli.is_empty() {
        return Err("no metrics returned".to_owned());
    }
    Ok(external_total(&calculation.metric_values_milli))
}

fn given(wanted: Wanted) -> Map<String, Value> {
    let mut values = Map::new();
    values.insert("replicas".to_owned(), json!(wanted.replicas));
    match wanted.seen {
        Seen::Utilization { percent, average } => {
            values.insert("utilization_percent".to_owned(), json!(percent));
            values.insert("raw_average_milli".to_owned(), json!(average));
        }
        Seen::Average { value } | Seen::Total { value } => {
            values.insert("usage_milli".to_owned(), json!(value));
        }
    }
    values
}

fn group_pods(calculation: &Calculation, settings: &Settings) -> Given {
    let samples = samples(
        &calculation.pods,
        &calculation.pod_metrics,
        &calculation.resource,
        None,
    );
    let states = calculation.states();
    let is_cpu = calculation.resource == "cpu";
    let census = Census::new(&states, &samples, is_cpu, settings, 0);
    let names = |wanted| -> Vec<&str> {
        let standings = census.standings().iter().zip(&calculation.pods);
        standings
            .filter(|(standing, _)| **standing == wanted)
            .map(|(_, pod)| pod.name.as_str())
            .collect()
    };
    Ok(Map::from_iter([
        (
            "ready_count".to_owned(),
            json!(names(Standing::Ready).len()),
        ),
        ("unready".to_owned(), json!(names(Standing::Unready))),
        ("missing".to_owned(), json!(names(Standing::Missing))),
        ("ignored".to_owned(), json!(names(Standing::Ignored))),
    ]))
}

fn pod_requests(calculation: &Calculation) -> Given {
    let requests = requests_of(
        &calculation.pods,
        &calculation.resource,
        calculation.container(),
        calculation.pod_level_resources_enabled,
    )?;
    let names = calculation.pods.iter().map(|pod| pod.name.clone());
    let requests: Map<_, _> = names.zip(requests.into_iter().map(Value::from)).collect();
    Ok(Map::from_iter([(
        "requests_milli".to_owned(),
        Value::Object(requests),
    )]))
}
