//! Limits, rates, events and stabilisation.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::{CannotRun, Given, inputs, pods::millis};
use crate::hpa::{
    Behavior, Limit, Rules,
    behavior::{
        Bounds, RateKind, RatePolicy, ScaleEvent, ScaleEvents, Select, change_in_period,
        limit_with_behavior, limit_without_behavior, scale_down_limit, scale_up_limit, store_event,
    },
    stabilize::{Recommendation, Windows, with_behavior, without_behavior},
};

pub fn call(function: &str, arguments: &Value) -> Option<Result<Given, CannotRun>> {
    Some(match function {
        "limit_without_behavior" => inputs(arguments).map(|one: Without| without(&one)),
        "limit_with_behavior" => inputs(arguments).map(|one: WithBehavior| limit(&one)),
        "scale_up_limit" => inputs(arguments).map(|one: Rate| {
            let rules = one.rules.rules(&Rules::default_up());
            Ok(limit_alone(scale_up_limit(
                one.current_replicas,
                &one.events.events(),
                &rules,
                0,
            )))
        }),
        "scale_down_limit" => inputs(arguments).map(|one: Rate| {
            let rules = one.rules.rules(&Rules::default_down());
            Ok(limit_alone(scale_down_limit(
                one.current_replicas,
                &one.events.events(),
                &rules,
                0,
            )))
        }),
        "store_scale_event" => inputs(arguments).map(|one: Store| store(&one)),
        "stabilize_no_behavior" => inputs(arguments).map(|one: Stabilize| stabilize(&one)),
        "stabilize_with_behavior" => {
            inputs(arguments).map(|one: Stabilize| stabilize_with_windows(&one))
        }
        _ => return None,
    })
}

/// `HPAScalingRules`, before or after the API's defaults.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct RulesInput {
    policies: Option<Vec<PolicyInput>>,
    #[serde(rename = "selectPolicy")]
    select_policy: Option<String>,
    #[serde(rename = "stabilizationWindowSeconds")]
    window: Option<i32>,
    tolerance: Option<f64>,
}

#[derive(Clone, Deserialize)]
struct PolicyInput {
    #[serde(rename = "type")]
    kind: String,
    value: i32,
    #[serde(rename = "periodSeconds")]
    period_seconds: i32,
}

impl RulesInput {
    /// What isn't given is as `default` has it.
    pub fn rules(&self, default: &Rules) -> Rules {
        let given = self.policies.as_ref().filter(|list| !list.is_empty());
        Rules {
            stabilization_window_seconds: self.window.or(default.stabilization_window_seconds),
            select: match self.select_policy.as_deref() {
                Some("Min") => Select::Min,
                Some("Disabled") => Select::Disabled,
                _ => Select::Max,
            },
            policies: given.map_or_else(
                || default.policies.clone(),
                |list| list.iter().map(PolicyInput::policy).collect(),
            ),
            tolerance: self.tolerance,
        }
    }
}

impl PolicyInput {
    fn policy(&self) -> RatePolicy {
        RatePolicy {
            kind: if self.kind == "Percent" {
                RateKind::Percent
            } else {
                RateKind::Pods
            },
            value: self.value,
            period_seconds: self.period_seconds,
        }
    }
}

#[derive(Clone, Deserialize)]
struct EventInput {
    change: i32,
    time_s: f64,
    #[serde(default)]
    outdated: bool,
}

fn events_of(list: &[EventInput]) -> Vec<ScaleEvent> {
    list.iter()
        .map(|one| ScaleEvent {
            change: one.change,
            at: millis(one.time_s),
            outdated: one.outdated,
        })
        .collect()
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct EventInputs {
    scale_up_events: Vec<EventInput>,
    scale_down_events: Vec<EventInput>,
}

impl EventInputs {
    fn events(&self) -> ScaleEvents {
        ScaleEvents {
            up: events_of(&self.scale_up_events),
            down: events_of(&self.scale_down_events),
        }
    }
}

#[derive(Deserialize)]
struct Without {
    current_replicas: i32,
    desired_replicas: i32,
    min_replicas: i32,
    max_replicas: i32,
    scale_up_limit_factor: f64,
    scale_up_limit_minimum: f64,
}

fn without(input: &Without) -> Given {
    let bounds = Bounds {
        current: input.current_replicas,
        desired: input.desired_replicas,
        min: input.min_replicas,
        max: input.max_replicas,
    };
    let outcome = limit_without_behavior(
        bounds,
        input.scale_up_limit_factor,
        input.scale_up_limit_minimum,
    );
    Ok(limited(outcome))
}

#[derive(Deserialize)]
struct WithBehavior {
    current_replicas: i32,
    desired_replicas: i32,
    min_replicas: i32,
    max_replicas: i32,
    #[serde(default)]
    scale_up: Option<RulesInput>,
    #[serde(default)]
    scale_down: Option<RulesInput>,
    #[serde(flatten)]
    events: EventInputs,
}

fn limit(input: &WithBehavior) -> Given {
    let bounds = Bounds {
        current: input.current_replicas,
        desired: input.desired_replicas,
        min: input.min_replicas,
        max: input.max_replicas,
    };
    let behavior = behavior_of(input.scale_up.as_ref(), input.scale_down.as_ref());
    let outcome = limit_with_behavior(bounds, &behavior, &input.events.events(), 0);
    Ok(limited(outcome))
}

pub fn behavior_of(up: Option<&RulesInput>, down: Option<&RulesInput>) -> Behavior {
    let own = Behavior::default();
    Behavior {
        scale_up: up.map_or_else(Rules::default_up, |one| one.rules(&own.scale_up)),
        scale_down: down.map_or_else(Rules::default_down, |one| one.rules(&own.scale_down)),
    }
}

fn limited((replicas, limit): (i32, Limit)) -> Map<String, Value> {
    Map::from_iter([
        ("replicas".to_owned(), json!(replicas)),
        ("reason".to_owned(), json!(limit.as_str())),
    ])
}

#[derive(Deserialize)]
struct Rate {
    current_replicas: i32,
    rules: RulesInput,
    #[serde(flatten)]
    events: EventInputs,
}

fn limit_alone(limit: i32) -> Map<String, Value> {
    Map::from_iter([("limit".to_owned(), json!(limit))])
}

#[derive(Deserialize)]
struct Store {
    events_before: Vec<EventInput>,
    replica_change: i32,
    /// No behaviour, no events.
    rules: Option<RulesInput>,
}

fn store(input: &Store) -> Given {
    let mut events = events_of(&input.events_before);
    let before = change_in_period(60, &events, 0);
    if let Some(rules) = &input.rules {
        let rules = rules.rules(&Rules::default_up());
        store_event(&mut events, input.replica_change.abs(), &rules, 0);
    }
    let after: Vec<_> = events
        .iter()
        .map(|event| json!({"change": event.change, "outdated": event.outdated}))
        .collect();
    Ok(Map::from_iter([
        ("change_in_last_60s_before".to_owned(), json!(before)),
        ("events_after".to_owned(), Value::Array(after)),
    ]))
}

#[derive(Deserialize)]
struct RecommendationInput {
    replicas: i32,
    time_s: f64,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Stabilize {
    current_replicas: i32,
    desired_replicas: i32,
    recommendations: Vec<RecommendationInput>,
    downscale_window_s: i32,
    scale_up_window_s: i32,
    scale_down_window_s: i32,
}

impl Stabilize {
    fn recommendations(&self) -> Vec<Recommendation> {
        self.recommendations
            .iter()
            .map(|one| Recommendation {
                replicas: one.replicas,
                at: millis(one.time_s),
            })
            .collect()
    }
}

fn stabilize(input: &Stabilize) -> Given {
    let mut log = input.recommendations();
    let replicas = without_behavior(
        &mut log,
        input.desired_replicas,
        input.downscale_window_s,
        0,
    );
    Ok(Map::from_iter([
        ("replicas".to_owned(), json!(replicas)),
        ("log_length".to_owned(), json!(log.len())),
    ]))
}

fn stabilize_with_windows(input: &Stabilize) -> Given {
    let mut log = input.recommendations();
    let windows = Windows {
        up_seconds: input.scale_up_window_s,
        down_seconds: input.scale_down_window_s,
    };
    let replicas = with_behavior(
        &mut log,
        input.current_replicas,
        input.desired_replicas,
        windows,
        0,
    );
    let after: Vec<_> = log
        .iter()
        .map(|one| json!({"replicas": one.replicas}))
        .collect();
    Ok(Map::from_iter([
        ("replicas".to_owned(), json!(replicas)),
        ("recommendations_after".to_owned(), Value::Array(after)),
    ]))
}
