//! A decision in words.

use smol_str::{SmolStr, format_smolstr};

use crate::{
    Evidence,
    hpa::{
        Limit, Metric, Settings, Source, Spec,
        behavior::{RateKind, RatePolicy, Rules, Select},
        reconcile::{Basis, Outcome, Reading},
        replicas::{Seen, Wanted},
    },
};

/// What each metric was, and what it alone wants.
pub fn evidence(
    spec: &Spec,
    outcome: &Outcome,
    readings: &[Result<Reading, String>],
) -> Vec<Evidence> {
    spec.metrics
        .iter()
        .zip(readings)
        .enumerate()
        .map(|(index, (metric, reading))| {
            let wanted = outcome.metrics.get(index);
            Evidence {
                signal: signal(metric),
                value: value(metric, reading, wanted),
                against: against(metric),
                wants: wanted
                    .and_then(|one| one.as_ref().ok())
                    .map(|one| one.replicas),
            }
        })
        .collect()
}

fn signal(metric: &Metric) -> SmolStr {
    let of_requests = metric.target.average_value.is_none();
    match &metric.source {
        Source::Resource { name } if of_requests => format_smolstr!("{name} utilisation"),
        Source::Resource { name } => name.into(),
        Source::ContainerResource { name, container } if of_requests => {
            format_smolstr!("{name} utilisation of container {container}")
        }
        Source::ContainerResource { name, container } => {
            format_smolstr!("{name} of container {container}")
        }
        Source::Pods { metric } | Source::Object { metric } | Source::External { metric } => {
            metric.into()
        }
        Source::Unknown { type_name } => type_name.into(),
    }
}

fn value(
    metric: &Metric,
    reading: &Result<Reading, String>,
    wanted: Option<&Result<Wanted, String>>,
) -> SmolStr {
    match (reading, wanted) {
        (Err(why), _) | (_, Some(Err(why))) => why.into(),
        (Ok(_), Some(Ok(wanted))) => match wanted.seen {
            Seen::Utilization { percent, .. } => format_smolstr!("{percent} %"),
            Seen::Average { value } => format_smolstr!("{} each", amount(metric, value)),
            Seen::Total { value } => amount(metric, value),
        },
        (Ok(_), None) => SmolStr::new_static("not looked at"),
    }
}

fn against(metric: &Metric) -> SmolStr {
    let target = &metric.target;
    match (
        target.average_value,
        target.average_utilization,
        target.value,
    ) {
        (Some(value), _, _) => format_smolstr!("target {} each", amount(metric, value)),
        (None, Some(percent), _) => format_smolstr!("target {percent} %"),
        (None, None, Some(value)) => format_smolstr!("target {}", amount(metric, value)),
        (None, None, None) => SmolStr::new_static("no target"),
    }
}

/// Memory in MiB, everything else in its unit.
fn amount(metric: &Metric, milli: i64) -> SmolStr {
    match &metric.source {
        Source::Resource { name } | Source::ContainerResource { name, .. } if name == "memory" => {
            format_smolstr!("{} MiB", milli / 1000 / 1024 / 1024)
        }
        _ => milli_text(milli),
    }
}

/// A number of thousandths without needless zeros.
pub(crate) fn milli_text(milli: i64) -> SmolStr {
    let sign = if milli < 0 { "-" } else { "" };
    let (whole, rest) = (milli.unsigned_abs() / 1000, milli.unsigned_abs() % 1000);
    if rest == 0 {
        return format_smolstr!("{sign}{whole}");
    }
    let rest = format_smolstr!("{rest:03}");
    format_smolstr!("{sign}{whole}.{}", rest.trim_end_matches('0'))
}

/// What bounded the count.
pub fn limits(spec: &Spec, settings: &Settings, current: i32, outcome: &Outcome) -> Vec<String> {
    match &outcome.basis {
        Basis::Disabled | Basis::Unknown { .. } => Vec::new(),
        Basis::OutOfBounds if outcome.desired < current => vec![most(spec)],
        Basis::OutOfBounds => vec![least(spec)],
        Basis::Metrics {
            wanted,
            stabilized,
            limit,
            invalid,
        } => {
            let mut limits = Vec::new();
            if wanted != stabilized {
                limits.push(stabilization(spec, settings, *wanted, *stabilized));
            }
            limits.extend(bound(spec, settings, *limit));
            if let Some(why) = invalid {
                limits.push(format!("not shrinking while a metric is unknown: {why}"));
            }
            limits
        }
    }
}

fn stabilization(spec: &Spec, settings: &Settings, wanted: i32, stabilized: i32) -> String {
    let window = |rules: fn(&crate::hpa::Behavior) -> &Rules| {
        spec.behavior
            .as_ref()
            .map_or(settings.downscale_stabilization_seconds, |behavior| {
                rules(behavior).window_seconds(settings)
            })
    };
    if stabilized > wanted {
        let seconds = window(|behavior| &behavior.scale_down);
        format!(
            "the metrics want {wanted}, but up to {stabilized} were needed in the last {seconds} s"
        )
    } else {
        let seconds = window(|behavior| &behavior.scale_up);
        format!("the metrics want {wanted}, but not for the whole of the last {seconds} s")
    }
}

fn bound(spec: &Spec, settings: &Settings, limit: Limit) -> Option<String> {
    Some(match limit {
        Limit::DesiredWithinRange => return None,
        Limit::TooFewReplicas => least(spec),
        Limit::TooManyReplicas => most(spec),
        Limit::ScaleUpLimit => match &spec.behavior {
            Some(behavior) => rate(&behavior.scale_up, "more"),
            None => format!(
                "at most {} times as many at once, or {}",
                settings.scale_up_limit_factor, settings.scale_up_limit_minimum
            ),
        },
        Limit::ScaleDownLimit => match &spec.behavior {
            Some(behavior) => rate(&behavior.scale_down, "fewer"),
            None => "at its rate".to_owned(),
        },
    })
}

fn least(spec: &Spec) -> String {
    format!("at least {} (minReplicas)", spec.min_replicas)
}

fn most(spec: &Spec) -> String {
    format!("at most {} (maxReplicas)", spec.max_replicas)
}

fn rate(rules: &Rules, word: &str) -> String {
    let policy = |policy: &RatePolicy| {
        let unit = match policy.kind {
            RateKind::Pods if policy.value == 1 => " pod",
            RateKind::Pods => " pods",
            RateKind::Percent => " %",
        };
        format!(
            "{}{unit} {word} in {} s",
            policy.value, policy.period_seconds
        )
    };
    let policies: Vec<_> = rules.policies.iter().map(policy).collect();
    match (rules.select, policies.as_slice()) {
        (Select::Disabled, _) => format!("no change to {word} (selectPolicy: Disabled)"),
        (_, [one]) => format!("at most {one}"),
        (Select::Max, _) => format!("at most the larger of {}", policies.join(" and ")),
        (Select::Min, _) => format!("at most the smaller of {}", policies.join(" and ")),
    }
}
