//! KEDA's functions, by the vectors' names for them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{CannotRun, Given, inputs, pods::millis};
use crate::keda::{
    Counts,
    activation::{self, Activity, Annotations, DEFAULT_COOLDOWN_SECONDS},
    fallback::{Behavior, Fallback, Instead, Target},
    formula::{COMPOSITE_METRIC, Formula, Value as FormulaValue},
    redis::{self, Parameters},
};

/// `None` if KEDA has no such function.
pub fn call(function: &str, arguments: &Value) -> Option<Result<Given, CannotRun>> {
    Some(match function {
        "redis_metadata" => inputs(arguments).map(|one: RedisMetadata| redis_metadata(&one)),
        "redis_metric_name" => inputs(arguments).map(|one: MetricName| {
            given([
                (
                    "metric_name",
                    json!(redis::metric_name(one.trigger_index, &one.list_name)),
                ),
                ("target_type", json!("AverageValue")),
            ])
        }),
        "bounds" => {
            inputs(arguments).map(|one: CountsInput| one.counts().check().map(|()| Map::new()))
        }
        "hpa_bounds" => inputs(arguments).map(|one: CountsInput| {
            let counts = one.counts();
            given([
                ("hpa_min", json!(counts.hpa_min())),
                ("hpa_max", json!(counts.hpa_max())),
            ])
        }),
        "inactive_floor" => inputs(arguments).map(|one: CountsInput| {
            let (is_idle, replicas) = one.counts().inactive_floor();
            given([("is_idle", json!(is_idle)), ("replicas", json!(replicas))])
        }),
        "scale_loop" => inputs(arguments).map(|one: ScaleLoop| scale_loop(&one)),
        "fallback" => inputs(arguments).and_then(|one: FallbackInput| fall_back(&one)),
        "scaling_modifiers" => inputs(arguments).map(|one: ModifiersInput| modify(&one)),
        _ => return None,
    })
}

fn given<const N: usize>(values: [(&str, Value); N]) -> Given {
    Ok(values
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect())
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct RedisMetadata {
    metadata: BTreeMap<String, String>,
    auth_params: BTreeMap<String, String>,
    resolved_env: BTreeMap<String, String>,
}

fn redis_metadata(input: &RedisMetadata) -> Given {
    let list = redis::parse(&Parameters {
        metadata: &input.metadata,
        auth: &input.auth_params,
        env: &input.resolved_env,
    })?;
    given([
        ("tls", json!(list.tls)),
        ("list_name", json!(list.list_name)),
        ("list_length", json!(list.list_length)),
        ("activation_list_length", json!(list.activation_list_length)),
        ("addresses", json!(list.addresses)),
    ])
}

#[derive(Deserialize)]
struct MetricName {
    list_name: String,
    trigger_index: usize,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct CountsInput {
    min_replica_count: Option<i32>,
    max_replica_count: Option<i32>,
    idle_replica_count: Option<i32>,
}

impl CountsInput {
    fn counts(self) -> Counts {
        Counts {
            min: self.min_replica_count,
            max: self.max_replica_count,
            idle: self.idle_replica_count,
        }
    }
}

#[derive(Deserialize)]
struct ScaleLoop {
    current_replicas: i32,
    is_active: bool,
    is_error: bool,
    #[serde(flatten)]
    counts: CountsInput,
    #[serde(default)]
    annotations: Vec<String>,
    #[serde(default, alias = "last_active_time_s")]
    last_active_time: Option<f64>,
    #[serde(default, alias = "cooldown_period_s")]
    cooldown_period: Option<i64>,
    #[serde(default, alias = "initial_cooldown_period_s")]
    initial_cooldown_period: Option<i64>,
    #[serde(default)]
    fallback_replicas: Option<i32>,
}

/// Created long ago: the vectors leave the time of creation at zero.
fn scale_loop(input: &ScaleLoop) -> Given {
    let has = |name: &str| {
        let full = format!("autoscaling.keda.sh/{name}");
        input.annotations.contains(&full)
    };
    let step = activation::step(&activation::Input {
        counts: input.counts.counts(),
        annotations: Annotations {
            paused: has("paused") || has("paused-replicas"),
            paused_replicas: None,
            paused_scale_in: has("paused-scale-in"),
            paused_scale_out: has("paused-scale-out"),
            force_activation: has("force-activation"),
        },
        cooldown_seconds: input.cooldown_period.unwrap_or(DEFAULT_COOLDOWN_SECONDS),
        initial_cooldown_seconds: input.initial_cooldown_period.unwrap_or(0),
        fallback_replicas: input.fallback_replicas,
        current: input.current_replicas,
        active: input.is_active,
        failed: input.is_error,
        last_active: input.last_active_time.map(millis),
        created: millis(-63_900_000_000.0),
        now: 0,
    });
    let active = match step.condition {
        Activity::Active => "True",
        Activity::Inactive | Activity::CoolingDown => "False",
        Activity::Paused => "Unknown",
    };
    given([
        (
            "replicas",
            json!(step.replicas.unwrap_or(input.current_replicas)),
        ),
        ("scale_written", json!(step.replicas.is_some())),
        ("active_condition", json!(active)),
        (
            "paused_condition",
            json!(step.condition == Activity::Paused),
        ),
    ])
}

#[derive(Deserialize)]
struct FallbackInput {
    scaler_error: bool,
    failures_before: i32,
    #[serde(default)]
    failure_threshold: Option<i32>,
    #[serde(default)]
    fallback_replicas: i32,
    #[serde(default)]
    behavior: String,
    #[serde(default)]
    target_average_value: Option<f64>,
    #[serde(default)]
    target_value: f64,
    #[serde(default)]
    ready_replicas: i32,
    #[serde(default)]
    current_replicas: i32,
    #[serde(default)]
    metric_value: Value,
}

fn fall_back(input: &FallbackInput) -> Result<Given, CannotRun> {
    let behavior = Behavior::named(&input.behavior)
        .ok_or_else(|| format!("unknown behavior {:?}", input.behavior))?;
    if !input.scaler_error {
        return Ok(given([
            ("metric_value", input.metric_value.clone()),
            ("failures_after", json!(0)),
        ]));
    }
    let failed = |failures: i32| {
        given([
            ("error", json!("the scaler's error is passed on")),
            ("failures_after", json!(failures)),
        ])
    };
    let Some(failure_threshold) = input.failure_threshold else {
        return Ok(failed(input.failures_before));
    };
    let fallback = Fallback {
        failure_threshold,
        replicas: input.fallback_replicas,
        behavior,
    };
    // Only a valid fallback counts failures.
    let failures = input.failures_before + i32::from(fallback.is_valid());
    let target = Target {
        value: input.target_average_value.unwrap_or(input.target_value),
        shared_by: input
            .target_average_value
            .is_none()
            .then_some(input.ready_replicas),
    };
    Ok(
        match fallback.instead(failures, input.current_replicas, target) {
            Instead::Error => failed(failures),
            Instead::Nil => given([
                ("metric_value", json!(-1)),
                ("failures_after", json!(failures)),
            ]),
            Instead::Value(milli) => given([
                ("metric_value", json!(milli as f64 / 1000.0)),
                ("failures_after", json!(failures)),
            ]),
        },
    )
}

#[derive(Deserialize)]
struct ModifiersInput {
    formula: String,
    values_milli: BTreeMap<String, Option<i64>>,
    #[serde(default)]
    fallback_replicas: Option<i32>,
    #[serde(default)]
    target: Option<Value>,
}

fn modify(input: &ModifiersInput) -> Given {
    let values = input
        .values_milli
        .iter()
        .map(|(name, milli)| {
            let value = milli.map_or(FormulaValue::Nil, |milli| {
                FormulaValue::Float(milli as f64 / 1000.0)
            });
            (name.clone(), value)
        })
        .collect();
    let milli = match Formula::parse(&input.formula)?.evaluate(&values)? {
        Some(milli) => milli,
        None => (instead_of_nil(input).ok_or("the formula gives nil")? * 1000.0) as i64,
    };
    given([
        ("metric_name", json!(COMPOSITE_METRIC)),
        ("milli", json!(milli)),
    ])
}

fn instead_of_nil(input: &ModifiersInput) -> Option<f64> {
    let target = match input.target.as_ref()? {
        Value::String(text) => text.parse().ok()?,
        other => other.as_f64()?,
    };
    Some(f64::from(input.fallback_replicas?) * target)
}
