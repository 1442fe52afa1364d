//! `config/specialties.yaml`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_saphyr::Spanned;
use smol_str::format_smolstr;

use crate::{
    Resource,
    policy_file::{Error, File},
};

use super::{Demand, Emergency, Policy, Specialty};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    specialties: BTreeMap<String, RawSpecialty>,
    #[serde(default)]
    demand: RawDemand,
    #[serde(default)]
    emergency: RawEmergency,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSpecialty {
    instances: Spanned<i64>,
    #[serde(default)]
    gpu_required: bool,
    minimum: Option<Spanned<i64>>,
    priority: Option<Spanned<i64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawDemand {
    high_above: Option<Spanned<f64>>,
    high_multiplier: Option<Spanned<f64>>,
    medium_above: Option<Spanned<f64>>,
    medium_multiplier: Option<Spanned<f64>>,
    stale_after_seconds: Option<Spanned<i64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawEmergency {
    load_signal: Option<String>,
    load_above: Option<Spanned<f64>>,
    immediate_scaling: Option<BTreeMap<String, Spanned<i64>>>,
    resources: Option<BTreeMap<String, Spanned<String>>>,
    resource_reallocation: Option<bool>,
}

pub(super) fn policy(file: File<'_>, text: &str) -> Result<Policy, Error> {
    let raw: RawFile = file.read(text, "config/specialties.yaml shows every key")?;
    let specialties = raw
        .specialties
        .iter()
        .map(|(name, raw)| Ok((name.clone(), specialty(file, name, raw)?)))
        .collect::<Result<_, Error>>()?;
    Ok(Policy {
        name: format_smolstr!("specialty/{}", file.stem()),
        specialties,
        demand: demand(file, &raw.demand)?,
        emergency: emergency(file, &raw.emergency)?,
    })
}

fn specialty(file: File<'_>, name: &str, raw: &RawSpecialty) -> Result<Specialty, Error> {
    let key = |field: &str| format!("{name}.{field}");
    let instances = file.count_within(&key("instances"), &raw.instances, 0, 10_000)?;
    let minimum = raw.minimum.as_ref().map_or(Ok(0), |number| {
        file.count_within(&key("minimum"), number, 0, 10_000)
    })?;
    if let Some(number) = raw.minimum.as_ref().filter(|_| minimum > instances) {
        return Err(file.refuse(
            number.referenced,
            &key("minimum"),
            minimum,
            &format!("is over its instances ({instances})"),
            "give a minimum that is at most instances",
        ));
    }
    let priority = raw.priority.as_ref().map_or(Ok(0), |number| {
        file.count_within(&key("priority"), number, 0, 1_000)
    })?;
    Ok(Specialty {
        instances,
        gpu_required: raw.gpu_required,
        minimum,
        priority,
    })
}

fn demand(file: File<'_>, raw: &RawDemand) -> Result<Demand, Error> {
    let number = |key: &str, given: &Option<Spanned<f64>>, least, most, default| {
        given.as_ref().map_or(Ok(default), |number| {
            file.number_within(&format!("demand.{key}"), number, least, most)
        })
    };
    let demand = Demand {
        high_above: number("high_above", &raw.high_above, 0.0, 1e12, 100.0)?,
        high_multiplier: number("high_multiplier", &raw.high_multiplier, 1.0, 100.0, 2.0)?,
        medium_above: number("medium_above", &raw.medium_above, 0.0, 1e12, 50.0)?,
        medium_multiplier: number("medium_multiplier", &raw.medium_multiplier, 1.0, 100.0, 1.5)?,
        stale_after_seconds: i64::from(
            raw.stale_after_seconds.as_ref().map_or(Ok(120), |number| {
                file.count_within("demand.stale_after_seconds", number, 1, 86_400)
            })?,
        ),
    };
    let order = [
        (
            demand.medium_above > demand.high_above,
            "medium_above",
            "high_above",
            &raw.medium_above,
            &raw.high_above,
        ),
        (
            demand.medium_multiplier > demand.high_multiplier,
            "medium_multiplier",
            "high_multiplier",
            &raw.medium_multiplier,
            &raw.high_multiplier,
        ),
    ];
    for (wrong, medium, high, given, other) in order {
        if let Some(number) = given.as_ref().or(other.as_ref()).filter(|_| wrong) {
            return Err(file.refuse(
                number.referenced,
                &format!("demand.{medium}"),
                number.value,
                &format!("makes {medium} more than {high}"),
                "give the medium demand less than the high one",
            ));
        }
    }
    Ok(demand)
}

fn emergency(file: File<'_>, raw: &RawEmergency) -> Result<Emergency, Error> {
    let mut emergency = Emergency::default();
    if let Some(signal) = &raw.load_signal {
        emergency.load_signal.clone_from(signal);
    }
    if let Some(load) = &raw.load_above {
        emergency.load_above = file.number_within("emergency.load_above", load, 0.0, 1e12)?;
    }
    if let Some(counts) = &raw.immediate_scaling {
        emergency.immediate_scaling = counts
            .iter()
            .map(|(name, number)| {
                let key = format!("immediate_scaling.{name}");
                Ok((name.clone(), file.count_within(&key, number, 0, 10_000)?))
            })
            .collect::<Result<_, Error>>()?;
    }
    if let Some(resources) = &raw.resources {
        emergency.resources = resources
            .iter()
            .map(|(name, text)| {
                let resource: Resource = text.value.parse().map_err(|way_out: String| {
                    let key = format!("emergency.resources.{name}");
                    file.refuse(
                        text.referenced,
                        &key,
                        &text.value,
                        "is no resource",
                        &way_out,
                    )
                })?;
                Ok((name.clone(), resource))
            })
            .collect::<Result<_, Error>>()?;
    }
    emergency.resource_reallocation = raw.resource_reallocation.unwrap_or(true);
    Ok(emergency)
}
