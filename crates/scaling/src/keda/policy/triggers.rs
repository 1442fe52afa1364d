//! What the triggers say: their lists' lengths, who is active, who failed, and what counts instead.

use smol_str::{SmolStr, format_smolstr};
use std::collections::BTreeMap;

use crate::{
    Snapshot, Workload,
    hpa::{Settings, reconcile::Reading, words::milli_text},
    keda::{
        fallback::{Instead, Target},
        formula::Value,
        manifest::{Modifiers, ScaledObject, Trigger},
    },
};

/// All triggers at one moment.
pub struct Look {
    pub active: bool,
    pub failed: bool,
    /// For the HorizontalPodAutoscaler's metrics, in their order.
    pub readings: Vec<Result<Reading, String>>,
    pub triggers: Vec<TriggerLook>,
}

/// A trigger as people read it.
pub struct TriggerLook {
    pub signal: SmolStr,
    pub value: SmolStr,
    pub against: SmolStr,
}

/// What a trigger counts as.
enum Counted {
    Measured(i64),
    FallenBack(i64),
    Nil,
    Failed(String),
}

pub fn look(
    object: &ScaledObject,
    failures: &mut BTreeMap<String, i32>,
    workload: &Workload,
    snapshot: &Snapshot,
    settings: &Settings,
) -> Look {
    let mut look = Look {
        active: false,
        failed: false,
        readings: Vec::new(),
        triggers: Vec::new(),
    };
    let mut counted = Vec::with_capacity(object.triggers.len());
    for trigger in &object.triggers {
        let length = length(trigger, snapshot, settings);
        look.failed |= length.is_err();
        let above = trigger.list.activation_list_length.saturating_mul(1000);
        look.active |= length.as_ref().is_ok_and(|milli| *milli > above);
        let one = count(object, trigger, length, failures, workload);
        look.triggers.push(describe(trigger, &one));
        counted.push(one);
    }
    match &object.modifiers {
        None => look.readings = counted.iter().map(reading).collect(),
        Some(modifiers) => {
            let composite = compose(object, modifiers, &counted);
            if let Ok(milli) = &composite {
                look.active = *milli as f64 / 1000.0 > modifiers.activation_target;
            }
            look.readings = vec![composite.map(total)];
        }
    }
    look
}

/// Thousandths.
fn length(trigger: &Trigger, snapshot: &Snapshot, settings: &Settings) -> Result<i64, String> {
    let reading = snapshot
        .signals
        .get(&trigger.list.list_name)
        .ok_or_else(|| "was not read".to_owned())?;
    reading
        .fresh(snapshot.at, settings.stale_after_seconds)
        .map(crate::hpa::milli)
}

fn count(
    object: &ScaledObject,
    trigger: &Trigger,
    length: Result<i64, String>,
    failures: &mut BTreeMap<String, i32>,
    workload: &Workload,
) -> Counted {
    let why = match length {
        Ok(milli) => {
            failures.remove(&trigger.metric);
            return Counted::Measured(milli);
        }
        Err(why) => why,
    };
    let Some(fallback) = object.fallback else {
        return Counted::Failed(why);
    };
    let failed = failures.entry(trigger.metric.clone()).or_default();
    *failed = failed.saturating_add(1);
    let (value, is_average) = match &object.modifiers {
        Some(modifiers) => (modifiers.target, modifiers.is_average),
        None => (trigger.list.list_length as f64, trigger.is_average),
    };
    let target = Target {
        value,
        shared_by: (!is_average).then_some(workload.ready),
    };
    match fallback.instead(*failed, workload.desired, target) {
        Instead::Error => Counted::Failed(format!(
            "{why} ({failed} of {} looks until the fallback)",
            fallback.failure_threshold.saturating_add(1)
        )),
        Instead::Nil => Counted::Nil,
        Instead::Value(milli) => Counted::FallenBack(milli),
    }
}

fn reading(counted: &Counted) -> Result<Reading, String> {
    match counted {
        Counted::Measured(milli) | Counted::FallenBack(milli) => Ok(total(*milli)),
        Counted::Nil => Err("its fallback is for a formula, and there is none".to_owned()),
        Counted::Failed(why) => Err(why.clone()),
    }
}

fn total(milli: i64) -> Reading {
    Reading::Total {
        values: vec![milli],
    }
}

/// One trigger's fallback stands for all; `nil` of the whole is the fallback's replicas.
fn compose(
    object: &ScaledObject,
    modifiers: &Modifiers,
    counted: &[Counted],
) -> Result<i64, String> {
    let mut values = BTreeMap::new();
    for (trigger, one) in object.triggers.iter().zip(counted) {
        let value = match one {
            Counted::FallenBack(milli) => return Ok(*milli),
            Counted::Failed(why) => return Err(format!("{}: {why}", trigger.list.list_name)),
            Counted::Measured(milli) => Value::Float(*milli as f64 / 1000.0),
            Counted::Nil => Value::Nil,
        };
        if let Some(name) = &trigger.name {
            values.insert(name.clone(), value);
        }
    }
    match (modifiers.formula.evaluate(&values)?, object.fallback) {
        (Some(milli), _) => Ok(milli),
        (None, Some(fallback)) => {
            Ok((f64::from(fallback.replicas) * modifiers.target * 1000.0) as i64)
        }
        (None, None) => Err("the formula gives nil".to_owned()),
    }
}

fn describe(trigger: &Trigger, counted: &Counted) -> TriggerLook {
    let list = &trigger.list;
    let each = if trigger.is_average { " each" } else { "" };
    TriggerLook {
        signal: SmolStr::from(&list.list_name),
        value: match counted {
            Counted::Measured(milli) => format_smolstr!("{} jobs", milli_text(*milli)),
            Counted::FallenBack(milli) => {
                format_smolstr!("unknown, counted as {}", milli_text(*milli))
            }
            Counted::Nil => SmolStr::new_static("unknown, nil to the formula"),
            Counted::Failed(why) => why.into(),
        },
        against: format_smolstr!(
            "target {}{each}, active above {}",
            list.list_length,
            list.activation_list_length
        ),
    }
}
