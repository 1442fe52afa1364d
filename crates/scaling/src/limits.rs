//! What no policy may exceed: bounds, quota by budget, and how soon something may shrink. From `limits.yaml`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_saphyr::{Location, Spanned};

use crate::{
    Resource,
    policy_file::{Error, File},
};

/// The bounds of one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    pub min: i32,
    pub max: i32,
    /// Less is only asked for when less was enough for this long.
    pub scale_in_after_seconds: i64,
    /// What one of it costs, in USD a month.
    pub monthly_cost: f64,
    /// When capacity is short, a higher number gives way first.
    pub priority: u8,
    /// How long a change may take to be ready.
    pub ready_within_seconds: i64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    pub resources: BTreeMap<Resource, Limit>,
    pub monthly_budget: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    resources: BTreeMap<String, Spanned<Row>>,
    #[serde(default)]
    monthly_budget: Option<Spanned<f64>>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    min: i32,
    max: i32,
    #[serde(default = "five_minutes")]
    scale_in_after_seconds: i64,
    #[serde(default)]
    monthly_cost: f64,
    #[serde(default = "middle")]
    priority: u8,
    #[serde(default = "one_minute")]
    ready_within_seconds: i64,
}

/// Kubernetes' own window for scaling in.
fn five_minutes() -> i64 {
    300
}

fn one_minute() -> i64 {
    60
}

fn middle() -> u8 {
    5
}

/// A day: whoever waits longer for less has switched it off, and `min` says so better.
const WINDOW_SECONDS_MAX: i64 = 86_400;

impl Limits {
    /// # Errors
    /// An unknown resource or key, `min` above `max`, a window that is none; with file, line and the way out.
    pub fn parse(file_name: &str, text: &str) -> Result<Self, Error> {
        let file = File(file_name);
        let document: Document = file.read(
            text,
            "write `resources:` with `NAME: {min: 1, max: 10}` a line",
        )?;
        let mut resources = BTreeMap::new();
        for (name, row) in document.resources {
            let (resource, limit) = limit(file, &name, row.referenced, &row.value)?;
            resources.insert(resource, limit);
        }
        let monthly_budget = match document.monthly_budget {
            Some(budget) if !(budget.value.is_finite() && budget.value > 0.0) => {
                return Err(file.refuse(
                    budget.referenced,
                    "monthly_budget",
                    budget.value,
                    "is no budget",
                    "use a number above 0, or null for none",
                ));
            }
            budget => budget.map(|budget| budget.value),
        };
        Ok(Self {
            resources,
            monthly_budget,
        })
    }

    /// What a set of counts costs a month.
    #[must_use]
    pub fn monthly_cost(&self, counts: &BTreeMap<Resource, i32>) -> f64 {
        counts
            .iter()
            .filter_map(|(resource, count)| {
                Some(self.resources.get(resource)?.monthly_cost * f64::from(*count))
            })
            .sum()
    }
}

/// One line of the file, if it makes sense.
fn limit(
    file: File<'_>,
    name: &str,
    place: Location,
    row: &Row,
) -> Result<(Resource, Limit), Error> {
    let refuse = |key: &str, input: String, problem: &str, way_out: &str| {
        Err(file.refuse(place, key, &input, problem, way_out))
    };
    let resource: Resource = match name.parse() {
        Ok(resource) => resource,
        Err(problem) => {
            return refuse("resources", name.to_owned(), "is not known", &problem);
        }
    };
    if row.min < 0 || row.min > row.max {
        let both = format!("{} to {}", row.min, row.max);
        let way_out = "make min at least 0 and at most max";
        return refuse(name, both, "is no range", way_out);
    }
    if !(0..=WINDOW_SECONDS_MAX).contains(&row.scale_in_after_seconds) {
        let seconds = row.scale_in_after_seconds.to_string();
        let key = "scale_in_after_seconds";
        return refuse(key, seconds, "is no window", "use 0 to 86400");
    }
    if !(1..=WINDOW_SECONDS_MAX).contains(&row.ready_within_seconds) {
        let seconds = row.ready_within_seconds.to_string();
        let key = "ready_within_seconds";
        return refuse(key, seconds, "is no time", "use 1 to 86400");
    }
    if !row.monthly_cost.is_finite() || row.monthly_cost < 0.0 {
        let cost = row.monthly_cost.to_string();
        return refuse("monthly_cost", cost, "is no cost", "use a number from 0 on");
    }
    let limit = Limit {
        min: row.min,
        max: row.max,
        scale_in_after_seconds: row.scale_in_after_seconds,
        monthly_cost: row.monthly_cost,
        priority: row.priority,
        ready_within_seconds: row.ready_within_seconds,
    };
    Ok((resource, limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_read_and_what_makes_no_sense_is_refused_with_its_line() {
        let limits = Limits::parse(
            "limits.yaml",
            "resources:\n  app_instances: {min: 3, max: 20}\nmonthly_budget: 5000\n",
        )
        .unwrap();
        assert_eq!(limits.resources[&Resource::AppInstances].max, 20);
        for (text, line, word) in [
            (
                "resources:\n  app_instances: {min: 5, max: 2}\n",
                2,
                "range",
            ),
            (
                "resources:\n  fax_machines: {min: 1, max: 2}\n",
                2,
                "fax_machines",
            ),
            (
                "resources:\n  app_instances: {min: 1, max: 2, mox: 3}\n",
                2,
                "mox",
            ),
            (
                "resources:\n  app_instances: {min: 1, max: 2, scale_in_after_seconds: -1}\n",
                2,
                "window",
            ),
            ("resources: {}\nmonthly_budget: -1\n", 2, "budget"),
        ] {
            let error = Limits::parse("limits.yaml", text).unwrap_err();
            assert_eq!(error.place().line, line, "{error}");
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}
