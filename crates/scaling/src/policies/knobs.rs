//! The numbers in policies' files that may be turned to make them better, found in the text itself: what is written back is the same
//! file with other numbers in it, comments and order untouched.

use std::{collections::BTreeMap, ops::Range};

use serde::Serialize;

use super::Policies;
use crate::Resource;

/// A number in a file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Knob {
    pub file: String,
    /// Counts from 1.
    pub line: usize,
    pub key: String,
    /// As the file has it.
    pub value: f64,
    /// What it may be turned to, ascending.
    pub choices: Vec<f64>,
    #[serde(skip)]
    place: Range<usize>,
}

/// How a key's number may be turned.
enum Turns {
    /// Whole per cents of what an instance can do.
    Percent,
    /// A wait before something shrinks, or a time to look ahead.
    Seconds(&'static [f64]),
    /// One of a list.
    OneOf(&'static [f64]),
    /// From a quarter to four times of what it is.
    Amount,
    /// The same in whole numbers.
    Whole,
    /// From nothing up to so many times of what it is.
    Least,
}

const WAITS: &[f64] = &[0.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0];
const PERCENTILES: &[f64] = &[
    10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 85.0, 90.0, 95.0, 97.0, 98.0, 99.0, 99.5, 99.9,
];
const SLACKS: &[f64] = &[0.0, 0.5, 1.0, 1.5, 2.0];
const LEADS: &[f64] = &[300.0, 600.0, 900.0, 1800.0, 2700.0, 3600.0, 5400.0];

/// The keys whose numbers may be turned. Bounds at the top are promises to others and stay.
fn turns(key: &str) -> Option<Turns> {
    Some(match key {
        "averageUtilization" | "TargetValue" => Turns::Percent,
        "stabilizationWindowSeconds" | "scale_in_after_seconds" | "leave_after_seconds" => {
            Turns::Seconds(WAITS)
        }
        "lead_seconds" => Turns::Seconds(LEADS),
        "percentile" => Turns::OneOf(PERCENTILES),
        "slack" => Turns::OneOf(SLACKS),
        "per_instance" => Turns::Amount,
        "listLength" | "averageValue" => Turns::Whole,
        "min" | "minReplicas" | "minReplicaCount" => Turns::Least,
        _ => return None,
    })
}

impl Turns {
    fn choices(&self, value: f64) -> Vec<f64> {
        let mut all: Vec<f64> = match self {
            Self::Percent => (4..=19)
                .map(|twentieth| f64::from(twentieth) * 5.0)
                .collect(),
            Self::Seconds(choices) | Self::OneOf(choices) => choices.to_vec(),
            Self::Amount => quarters(value).map(rounded).collect(),
            Self::Whole => quarters(value).map(|it| it.round().max(1.0)).collect(),
            Self::Least => {
                let most = (3.0 * value).max(4.0) as u32;
                (value.min(1.0) as u32..=most).map(f64::from).collect()
            }
        };
        all.push(value);
        all.sort_by(f64::total_cmp);
        all.dedup();
        all
    }
}

/// From a quarter to four times, in steps of a fourth root of two.
fn quarters(value: f64) -> impl Iterator<Item = f64> {
    (-8..=8).map(move |quarter| value * (f64::from(quarter) / 4.0).exp2())
}

/// Whole above 10, and two digits below.
fn rounded(value: f64) -> f64 {
    let unit = if value.abs() >= 10.0 {
        1.0
    } else if value.abs() >= 1.0 {
        0.1
    } else {
        0.01
    };
    ((value / unit).round() * unit * 100.0).round() / 100.0
}

/// The knobs of one resource, in the order of files and lines.
#[must_use]
pub fn find(files: &BTreeMap<String, String>, resource: Resource) -> Vec<Knob> {
    let mut knobs = Vec::new();
    for (name, text) in files {
        let is_limits = super::has_key(text, "resources");
        if !is_limits && !is_about(files, name, resource) {
            continue;
        }
        let mut at = 0;
        for (number, line) in text.split_inclusive('\n').enumerate() {
            let of_another = is_limits && !line.trim_start().starts_with(&format!("{resource}:"));
            if !of_another {
                knobs.extend(in_line(name, number + 1, line, at));
            }
            at += line.len();
        }
    }
    knobs
}

/// The same files with the knobs turned; `values` belong to `knobs` one by one.
#[must_use]
pub fn turned(
    files: &BTreeMap<String, String>,
    knobs: &[Knob],
    values: &[f64],
) -> BTreeMap<String, String> {
    let mut files = files.clone();
    // From the end, so that places before stay where they are.
    let mut last_first: Vec<(&Knob, f64)> = knobs.iter().zip(values.iter().copied()).collect();
    last_first.sort_by_key(|(knob, _)| std::cmp::Reverse(knob.place.start));
    for (knob, value) in last_first {
        if let Some(text) = files.get_mut(&knob.file) {
            text.replace_range(knob.place.clone(), &value.to_string());
        }
    }
    files
}

/// Whether a file has a policy of the resource: read with the limits alone, as if there were no other.
fn is_about(files: &BTreeMap<String, String>, name: &str, resource: Resource) -> bool {
    let alone = files
        .iter()
        .filter(|(other, text)| *other == name || super::has_key(text, "resources"))
        .map(|(name, text)| (name.clone(), text.clone()))
        .collect();
    let Ok(policies) = Policies::read(&alone) else {
        return false;
    };
    policies.hpa.iter().any(|it| it.resource == resource)
        || policies
            .keda
            .iter()
            .any(|it| it.object.resource == resource)
        || policies.forecast.iter().any(|it| it.resource() == resource)
        || policies.matrix.is_some()
        || policies
            .target_tracking
            .iter()
            .any(|it| it.resource() == resource)
}

/// Each `key: number` of a line, with or without quotes. What stands behind a `#` is no setting.
fn in_line(file: &str, line: usize, text: &str, offset: usize) -> Vec<Knob> {
    let setting = text.split(" #").next().unwrap_or_default();
    if setting.trim_start().starts_with('#') {
        return Vec::new();
    }
    let colons = setting.match_indices(':').map(|(at, _)| at);
    colons
        .filter_map(|colon| {
            let key = last_word(&setting[..colon]);
            let rest = &setting[colon + 1..];
            let number = rest.trim_start_matches([' ', '"', '\'']);
            let start = colon + 1 + rest.len() - number.len();
            let length = number
                .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
                .unwrap_or(number.len());
            let ends_well = number[length..]
                .chars()
                .next()
                .is_none_or(|next| "\"',}\r\n ".contains(next));
            let value: f64 = number[..length].parse().ok()?;
            let choices = turns(key).filter(|_| ends_well)?.choices(value);
            Some(Knob {
                file: file.to_owned(),
                line,
                key: key.to_owned(),
                value,
                choices,
                place: offset + start..offset + start + length,
            })
        })
        .collect()
}

fn last_word(text: &str) -> &str {
    let text = text.trim_end().trim_end_matches('"');
    let start = text
        .rfind(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
        .map_or(0, |at| at + 1);
    &text[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: &str = "resources:\n  # min: 9 is no setting\n  app_instances: {min: 3, max: 20}\n  queue_workers: {min: 1, max: 4, scale_in_after_seconds: 60}   # min: 7\n";
    const QUEUE: &str = "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: q}\nspec:\n  scaleTargetRef: {name: queue-workers}\n  minReplicaCount: 1\n  maxReplicaCount: 4\n  triggers:\n  - type: redis\n    metadata: {address: localhost:6379, listName: email_queue, listLength: \"50\"}\n";
    const HPA: &str = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: app}\nspec:\n  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: hysio-app}\n  minReplicas: 3\n  maxReplicas: 20\n  metrics:\n  - type: Resource\n    resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}\n";

    fn files() -> BTreeMap<String, String> {
        [
            ("app.yaml", HPA),
            ("limits.yaml", LIMITS),
            ("queue.yaml", QUEUE),
        ]
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .into()
    }

    #[test]
    fn only_the_numbers_of_the_resource_are_found() {
        let found = find(&files(), Resource::QueueWorkers);
        let seen: Vec<(&str, usize, &str, f64)> = found
            .iter()
            .map(|it| (it.file.as_str(), it.line, it.key.as_str(), it.value))
            .collect();
        assert_eq!(
            seen,
            [
                ("limits.yaml", 4, "min", 1.0),
                ("limits.yaml", 4, "scale_in_after_seconds", 60.0),
                ("queue.yaml", 6, "minReplicaCount", 1.0),
                ("queue.yaml", 10, "listLength", 50.0),
            ]
        );
        assert!(found.iter().all(|knob| knob.choices.contains(&knob.value)));
    }

    #[test]
    fn what_is_written_back_is_the_same_file_with_other_numbers() {
        let knobs = find(&files(), Resource::QueueWorkers);
        let turned = turned(&files(), &knobs, &[2.0, 1800.0, 3.0, 13.0]);
        assert_eq!(turned["app.yaml"], HPA);
        assert_eq!(
            turned["limits.yaml"],
            LIMITS.replace(
                "min: 1, max: 4, scale_in_after_seconds: 60",
                "min: 2, max: 4, scale_in_after_seconds: 1800"
            )
        );
        assert_eq!(
            turned["queue.yaml"],
            QUEUE
                .replace("minReplicaCount: 1", "minReplicaCount: 3")
                .replace("\"50\"", "\"13\"")
        );
        let same: Vec<f64> = knobs.iter().map(|knob| knob.value).collect();
        assert_eq!(super::turned(&files(), &knobs, &same), files());
    }
}
