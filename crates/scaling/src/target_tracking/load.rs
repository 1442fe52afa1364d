//! The JSON of CloudWatch's target-tracking policies and of Auto Scaling groups.

use std::collections::BTreeMap;

use serde::{Deserialize, de::IgnoredAny};
use serde_saphyr::Spanned;
use smol_str::format_smolstr;

use crate::policy_file::{Error, File, Finding};

use super::{Cooldowns, Group, Metric, Policy};

/// A policy of EC2 Auto Scaling, or of Application Auto Scaling with its longer name of the configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct RawPolicy {
    policy_name: Spanned<String>,
    auto_scaling_group_name: Option<String>,
    policy_type: Spanned<String>,
    estimated_instance_warmup: Option<Spanned<i64>>,
    enabled: Option<bool>,
    target_tracking_configuration: Option<Spanned<RawTracking>>,
    service_namespace: Option<String>,
    resource_id: Option<String>,
    scalable_dimension: Option<String>,
    target_tracking_scaling_policy_configuration: Option<Spanned<RawTracking>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct RawTracking {
    target_value: Spanned<f64>,
    predefined_metric_specification: Option<RawPredefined>,
    customized_metric_specification: Option<Spanned<RawCustomized>>,
    scale_out_cooldown: Option<Spanned<i64>>,
    scale_in_cooldown: Option<Spanned<i64>>,
    #[serde(default)]
    disable_scale_in: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct RawPredefined {
    predefined_metric_type: Spanned<String>,
    #[serde(rename = "ResourceLabel")]
    _resource_label: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct RawCustomized {
    metric_name: Option<String>,
    #[serde(rename = "Namespace")]
    _namespace: Option<String>,
    #[serde(default)]
    dimensions: Vec<RawDimension>,
    statistic: Option<Spanned<String>>,
    #[serde(rename = "Unit")]
    _unit: Option<String>,
    metrics: Option<Spanned<IgnoredAny>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct RawDimension {
    name: String,
    value: String,
}

/// What of a group's JSON is used; the rest (launch template, subnets, tags) is AWS' own business.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawGroup {
    auto_scaling_group_name: String,
    min_size: Spanned<i64>,
    max_size: Spanned<i64>,
    desired_capacity: Option<Spanned<i64>>,
    default_cooldown: Option<Spanned<i64>>,
    default_instance_warmup: Option<Spanned<i64>>,
}

pub(super) fn policy(file: File<'_>, text: &str) -> Result<Policy, Error> {
    let raw: RawPolicy = file.read(
        text,
        "see the reference of put-scaling-policy of EC2 or Application Auto Scaling",
    )?;
    if raw.policy_type.value != "TargetTrackingScaling" {
        return Err(file.refuse(
            raw.policy_type.referenced,
            "PolicyType",
            &raw.policy_type.value,
            "is not read here",
            "use TargetTrackingScaling",
        ));
    }
    let (tracking, of_a_group) = configuration(file, &raw)?;
    let target = file.number_within("TargetValue", &tracking.target_value, 0.001, 1e12)?;
    let cooldown = |key: &str, given: &Option<Spanned<i64>>| {
        let seconds = given.as_ref().map(|n| file.count_within(key, n, 0, 86_400));
        seconds.transpose().map(|seconds| seconds.map(i64::from))
    };
    let warmup = cooldown("EstimatedInstanceWarmup", &raw.estimated_instance_warmup)?;
    Ok(Policy {
        name: format_smolstr!("target_tracking/{}", raw.policy_name.value),
        resource: crate::Resource::AppInstances,
        group_name: raw.auto_scaling_group_name.clone(),
        group: None,
        enabled: raw.enabled.unwrap_or(true),
        target,
        metric: metric(file, tracking, raw.policy_name.referenced)?,
        disable_scale_in: tracking.disable_scale_in,
        warmup,
        cooldowns: Cooldowns {
            out: cooldown("ScaleOutCooldown", &tracking.scale_out_cooldown)?,
            r#in: cooldown("ScaleInCooldown", &tracking.scale_in_cooldown)?,
        },
        stale_after_seconds: 120,
        findings: foreign_keys(file, &raw, tracking, of_a_group),
    })
}

fn configuration<'a>(file: File<'_>, raw: &'a RawPolicy) -> Result<(&'a RawTracking, bool), Error> {
    match (
        &raw.target_tracking_configuration,
        &raw.target_tracking_scaling_policy_configuration,
    ) {
        (Some(group), None) => Ok((&group.value, true)),
        (None, Some(application)) => Ok((&application.value, false)),
        _ => Err(file.refuse(
            raw.policy_name.referenced,
            "PolicyName",
            &raw.policy_name.value,
            "has no configuration, or two",
            "give TargetTrackingConfiguration (EC2 Auto Scaling) or TargetTrackingScalingPolicyConfiguration \
             (Application Auto Scaling)",
        )),
    }
}

fn metric(
    file: File<'_>,
    raw: &RawTracking,
    otherwise: serde_saphyr::Location,
) -> Result<Metric, Error> {
    match (
        &raw.predefined_metric_specification,
        &raw.customized_metric_specification,
    ) {
        (Some(predefined), None) => predefined_metric(file, &predefined.predefined_metric_type),
        (None, Some(customized)) => customized_metric(file, customized),
        _ => Err(file.refuse(
            otherwise,
            "TargetTrackingConfiguration",
            raw.target_value.value,
            "has no metric to follow, or two",
            "give PredefinedMetricSpecification or CustomizedMetricSpecification",
        )),
    }
}

fn predefined_metric(file: File<'_>, text: &Spanned<String>) -> Result<Metric, Error> {
    match text.value.as_str() {
        "ASGAverageCPUUtilization" | "ECSServiceAverageCPUUtilization" => Ok(Metric::Cpu),
        "ECSServiceAverageMemoryUtilization" => Ok(Metric::Memory),
        "ASGAverageNetworkIn" | "ASGAverageNetworkOut" | "ALBRequestCountPerTarget" => {
            Ok(Metric::Signal(text.value.clone()))
        }
        _ => Err(file.refuse(
            text.referenced,
            "PredefinedMetricType",
            &text.value,
            "is not known here",
            "use ASGAverageCPUUtilization, ECSServiceAverageCPUUtilization, ECSServiceAverageMemoryUtilization, \
             ASGAverageNetworkIn, ASGAverageNetworkOut or ALBRequestCountPerTarget, or a customised metric",
        )),
    }
}

fn customized_metric(file: File<'_>, raw: &Spanned<RawCustomized>) -> Result<Metric, Error> {
    let statistic = raw.value.statistic.as_ref();
    if let Some(statistic) = statistic.filter(|text| text.value != "Average") {
        return Err(file.refuse(
            statistic.referenced,
            "Statistic",
            &statistic.value,
            "is not computed here",
            "use Average of a metric that falls as capacity grows",
        ));
    }
    let name = raw.value.metric_name.as_ref();
    let (Some(name), None) = (name, &raw.value.metrics) else {
        return Err(file.refuse(
            raw.referenced,
            "CustomizedMetricSpecification",
            name.map_or("", String::as_str),
            "has no MetricName, or metric math",
            "measure the result as a signal of its own and give its MetricName",
        ));
    };
    let labels: BTreeMap<&str, &str> = raw
        .value
        .dimensions
        .iter()
        .map(|one| (one.name.as_str(), one.value.as_str()))
        .collect();
    let labels: Vec<String> = labels.iter().map(|(k, v)| format!("{k}={v:?}")).collect();
    Ok(Metric::Signal(match labels.is_empty() {
        true => name.clone(),
        false => format!("{name}{{{}}}", labels.join(",")),
    }))
}

/// Keys that the other of AWS' two services has: heeded here, refused there.
fn foreign_keys(
    file: File<'_>,
    raw: &RawPolicy,
    tracking: &RawTracking,
    of_a_group: bool,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if of_a_group {
        for (key, given) in [
            ("ScaleOutCooldown", &tracking.scale_out_cooldown),
            ("ScaleInCooldown", &tracking.scale_in_cooldown),
        ] {
            let Some(given) = given else { continue };
            findings.push(file.finding(
                given.referenced.line(),
                format!(
                    "{key} belongs to Application Auto Scaling: a policy of an Auto Scaling group has \
                     EstimatedInstanceWarmup, and AWS refuses this key; it is heeded here"
                ),
            ));
        }
        let foreign = [
            &raw.service_namespace,
            &raw.resource_id,
            &raw.scalable_dimension,
        ];
        if foreign.into_iter().any(Option::is_some) {
            let message = "ServiceNamespace, ResourceId and ScalableDimension belong to Application Auto Scaling: ignored";
            findings.push(file.finding(raw.policy_name.referenced.line(), message.to_owned()));
        }
    } else if let Some(given) = &raw.estimated_instance_warmup {
        let message = "EstimatedInstanceWarmup belongs to EC2 Auto Scaling; it is heeded here";
        findings.push(file.finding(given.referenced.line(), message.to_owned()));
    }
    findings
}

pub(super) fn group(file: File<'_>, text: &str) -> Result<Group, Error> {
    let raw: RawGroup = file.read(text, "see the reference of create-auto-scaling-group")?;
    let size = |key: &str, number: &Spanned<i64>| file.count_within(key, number, 0, 100_000);
    let (min_size, max_size) = (
        size("MinSize", &raw.min_size)?,
        size("MaxSize", &raw.max_size)?,
    );
    if min_size > max_size {
        return Err(file.refuse(
            raw.min_size.referenced,
            "MinSize",
            min_size,
            &format!("is over MaxSize {max_size}"),
            "give a MinSize that is at most MaxSize",
        ));
    }
    let desired_capacity = match &raw.desired_capacity {
        Some(number) => file.count_within("DesiredCapacity", number, min_size, max_size)?,
        None => min_size,
    };
    let seconds = |key: &str, given: &Option<Spanned<i64>>| {
        let seconds = given.as_ref().map(|n| file.count_within(key, n, 0, 86_400));
        seconds.transpose().map(|seconds| seconds.map(i64::from))
    };
    Ok(Group {
        name: raw.auto_scaling_group_name,
        min_size,
        max_size,
        desired_capacity,
        default_cooldown: seconds("DefaultCooldown", &raw.default_cooldown)?.unwrap_or(300),
        default_instance_warmup: seconds("DefaultInstanceWarmup", &raw.default_instance_warmup)?,
    })
}
