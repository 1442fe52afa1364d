//! Prometheus' rule files.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_saphyr::Spanned;
use smol_str::format_smolstr;

use crate::{
    Resource,
    policy_file::{Error, File},
};

use super::{Policy, Rule, expression::Comparison};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    groups: Vec<RawGroup>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGroup {
    name: Spanned<String>,
    #[serde(rename = "interval")]
    _interval: Option<String>,
    #[serde(rename = "limit")]
    _limit: Option<i64>,
    #[serde(rename = "query_offset")]
    _query_offset: Option<String>,
    #[serde(default, rename = "labels")]
    _labels: BTreeMap<String, String>,
    #[serde(default)]
    rules: Vec<RawRule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    alert: Option<Spanned<String>>,
    record: Option<Spanned<String>>,
    expr: Spanned<String>,
    r#for: Option<Spanned<String>>,
    #[serde(rename = "keep_firing_for")]
    _keep_firing_for: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    annotations: BTreeMap<String, Spanned<String>>,
}

/// What `scaling_action` may say.
const ACTIONS: [(&str, Resource); 8] = [
    ("increase_replicas", Resource::AppInstances),
    ("increase_app_replicas", Resource::AppInstances),
    (
        "increase_transcription_workers",
        Resource::TranscriptionWorkers,
    ),
    (
        "increase_transcription_instances",
        Resource::TranscriptionInstances,
    ),
    ("increase_diagnosis_workers", Resource::DiagnosisWorkers),
    (
        "increase_diagnosecode_instances",
        Resource::DiagnosecodeInstances,
    ),
    ("increase_queue_workers", Resource::QueueWorkers),
    ("increase_connection_pool_size", Resource::DbConnections),
];

pub(super) fn policy(file: File<'_>, text: &str) -> Result<Policy, Error> {
    let raw: RawFile = file.read(text, "check it with promtool check rules")?;
    let mut rules = Vec::new();
    let mut recorded = Vec::new();
    let mut expressions = Vec::new();
    for group in &raw.groups {
        for raw in &group.rules {
            expressions.push((raw.expr.referenced.line(), raw.expr.value.clone()));
            match (&raw.alert, &raw.record) {
                (Some(alert), None) => rules.push(rule(file, &group.name.value, alert, raw)?),
                (None, Some(record)) => recorded.push(record.value.clone()),
                _ => {
                    return Err(file.refuse(
                        raw.expr.referenced,
                        &group.name.value,
                        &raw.expr.value,
                        "is of a rule that neither alerts nor records, or does both",
                        "give it `alert` or `record`",
                    ));
                }
            }
        }
    }
    Ok(Policy {
        name: format_smolstr!("alerts/{}", file.stem()),
        file: file.0.to_owned(),
        rules,
        recorded,
        expressions,
        options: super::Options::default(),
    })
}

fn rule(
    file: File<'_>,
    group: &str,
    alert: &Spanned<String>,
    raw: &RawRule,
) -> Result<Rule, Error> {
    let given = raw
        .annotations
        .get("scaling_action")
        .or_else(|| raw.labels.get("scaling_action"));
    let action = given
        .map(|text| action(file, &alert.value, text))
        .transpose()?;
    let for_seconds = match &raw.r#for {
        Some(text) => seconds(&text.value).ok_or_else(|| {
            file.refuse(
                text.referenced,
                &format!("{}.for", alert.value),
                &text.value,
                "is no duration",
                "write it as Prometheus does, such as 90s, 5m or 1h30m",
            )
        })?,
        None => 0,
    };
    let expression = &raw.expr.value;
    let words = expression.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(Rule {
        alert: alert.value.clone(),
        signal: format_smolstr!("alert {}", alert.value),
        against: format_smolstr!("{words} for {for_seconds} s"),
        key: format!("{group}/{}/{expression}", alert.value),
        line: alert.referenced.line(),
        comparison: Comparison::parse(expression),
        expression: words,
        for_seconds,
        action,
    })
}

fn action(file: File<'_>, alert: &str, text: &Spanned<String>) -> Result<Resource, Error> {
    let known = ACTIONS.iter().find(|(name, _)| *name == text.value.trim());
    known.map(|(_, resource)| *resource).ok_or_else(|| {
        let names = ACTIONS.map(|(name, _)| name).join(", ");
        file.refuse(
            text.referenced,
            &format!("{alert}.scaling_action"),
            &text.value,
            "is no action",
            &format!("use one of {names}"),
        )
    })
}

/// Prometheus' durations, rounded up to seconds: `1h30m`, `500ms`.
fn seconds(text: &str) -> Option<i64> {
    let mut rest = text.trim();
    let mut millis: i64 = 0;
    if rest == "0" {
        return Some(0);
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: i64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        let factor = match &rest[..unit] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            "y" => 31_536_000_000,
            _ => return None,
        };
        millis = millis.checked_add(number.checked_mul(factor)?)?;
        rest = &rest[unit..];
    }
    (!text.trim().is_empty()).then_some((millis + 999) / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_prometheus() {
        for (text, expected) in [
            ("2m", Some(120)),
            ("1h30m", Some(5400)),
            ("500ms", Some(1)),
            ("0", Some(0)),
            ("1d", Some(86_400)),
            ("5", None),
            ("5 m", None),
            ("m", None),
            ("", None),
            ("-5m", None),
        ] {
            assert_eq!(seconds(text), expected, "{text:?}");
        }
    }
}
