//! `behavior`, with the API's limits and defaults.

use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::{
    hpa::{
        Behavior, Rules,
        behavior::{RateKind, RatePolicy, Select},
        quantity::parse_milli,
    },
    manifest::{ManifestError, Reader, line},
};

/// The API's limits.
const LONGEST_WINDOW_SECONDS: i32 = 3600;
const LONGEST_PERIOD_SECONDS: i32 = 1800;
/// Far above any count, and far from where the controller's 32-bit sums would turn over.
const LARGEST_VALUE: i32 = 1_000_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RawBehavior {
    scale_up: Option<RawRules>,
    scale_down: Option<RawRules>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawRules {
    stabilization_window_seconds: Option<Spanned<i32>>,
    select_policy: Option<Spanned<String>>,
    policies: Option<Spanned<Vec<RawPolicy>>>,
    tolerance: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawPolicy {
    #[serde(rename = "type")]
    kind: Spanned<String>,
    value: Spanned<i32>,
    period_seconds: Spanned<i32>,
}

impl RawBehavior {
    pub(crate) fn behavior(&self, reader: Reader<'_>) -> Result<Behavior, ManifestError> {
        let own = Behavior::default();
        let scale_up = match &self.scale_up {
            None => own.scale_up,
            Some(raw) => raw.rules(reader, own.scale_up, LARGEST_VALUE)?,
        };
        let scale_down = match &self.scale_down {
            None => own.scale_down,
            // More than all cannot go.
            Some(raw) => raw.rules(reader, own.scale_down, 100)?,
        };
        Ok(Behavior {
            scale_up,
            scale_down,
        })
    }
}

impl RawRules {
    fn rules(
        &self,
        reader: Reader<'_>,
        default: Rules,
        most_percent: i32,
    ) -> Result<Rules, ManifestError> {
        Ok(Rules {
            stabilization_window_seconds: self
                .window(reader)?
                .or(default.stabilization_window_seconds),
            select: self.select(reader)?,
            policies: match &self.policies {
                None => default.policies,
                Some(raw) if raw.value.is_empty() => {
                    return Err(reader.refuse(
                        line(raw),
                        "policies is empty",
                        "leave it out for the defaults, or use selectPolicy: Disabled to forbid this direction",
                    ));
                }
                Some(raw) => {
                    let policies = raw.value.iter();
                    policies
                        .map(|one| one.policy(reader, most_percent))
                        .collect::<Result<_, _>>()?
                }
            },
            tolerance: self.tolerance(reader)?,
        })
    }

    fn window(&self, reader: Reader<'_>) -> Result<Option<i32>, ManifestError> {
        let Some(raw) = &self.stabilization_window_seconds else {
            return Ok(None);
        };
        if !(0..=LONGEST_WINDOW_SECONDS).contains(&raw.value) {
            return Err(reader.refuse(
                line(raw),
                format!("stabilizationWindowSeconds is {}", raw.value),
                format!("use 0 to {LONGEST_WINDOW_SECONDS}"),
            ));
        }
        Ok(Some(raw.value))
    }

    fn select(&self, reader: Reader<'_>) -> Result<Select, ManifestError> {
        let Some(raw) = &self.select_policy else {
            return Ok(Select::Max);
        };
        match raw.value.as_str() {
            "Max" => Ok(Select::Max),
            "Min" => Ok(Select::Min),
            "Disabled" => Ok(Select::Disabled),
            other => Err(reader.refuse(
                line(raw),
                format!("selectPolicy is {other:?}"),
                "use Max, Min or Disabled",
            )),
        }
    }

    fn tolerance(&self, reader: Reader<'_>) -> Result<Option<f64>, ManifestError> {
        let Some(raw) = &self.tolerance else {
            return Ok(None);
        };
        match parse_milli(&raw.value) {
            Ok(milli) if milli >= 0 => Ok(Some(milli as f64 / 1000.0)),
            _ => Err(reader.refuse(
                line(raw),
                format!("tolerance is {:?}", raw.value),
                "use a fraction from 0, such as 0.05",
            )),
        }
    }
}

impl RawPolicy {
    fn policy(&self, reader: Reader<'_>, most_percent: i32) -> Result<RatePolicy, ManifestError> {
        let (kind, most) = match self.kind.value.as_str() {
            "Pods" => (RateKind::Pods, LARGEST_VALUE),
            "Percent" => (RateKind::Percent, most_percent),
            other => {
                return Err(reader.refuse(
                    line(&self.kind),
                    format!("unknown policy type {other:?}"),
                    "use Pods or Percent",
                ));
            }
        };
        if !(1..=most).contains(&self.value.value) {
            return Err(reader.refuse(
                line(&self.value),
                format!("a policy's value is {}", self.value.value),
                format!("use 1 to {most}"),
            ));
        }
        let period = self.period_seconds.value;
        if !(1..=LONGEST_PERIOD_SECONDS).contains(&period) {
            return Err(reader.refuse(
                line(&self.period_seconds),
                format!("periodSeconds is {period}"),
                format!("use 1 to {LONGEST_PERIOD_SECONDS}"),
            ));
        }
        Ok(RatePolicy {
            kind,
            value: self.value.value,
            period_seconds: period,
        })
    }
}
