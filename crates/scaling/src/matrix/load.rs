//! From the file's text to tiers that can be decided by.

use std::collections::BTreeMap;

use serde_saphyr::{Location, Spanned};
use smol_str::format_smolstr;

use crate::{
    Resource,
    policy_file::{Error, File, Finding},
};

use super::{
    Options, Policy, Tier, adjacency,
    file::{Ordered, RawFile, RawMatrix, RawTier},
    range::Range,
};

/// One tier's range of one signal, and where it stands.
pub(super) struct Cell {
    pub tier: String,
    pub text: String,
    pub location: Location,
    pub range: Range,
}

/// What the signals are called in the file, whether each is a percentage, and where a tier has it.
type Column = (&'static str, bool, fn(&RawTier) -> &Option<Spanned<String>>);

const COLUMNS: [Column; 4] = [
    ("active_sessions", false, |tier| &tier.active_sessions),
    ("cpu_usage", true, |tier| &tier.cpu_usage),
    ("memory_usage", true, |tier| &tier.memory_usage),
    ("queue_length", false, |tier| &tier.queue_length),
];

pub(super) fn policy(file: File<'_>, raw: &RawFile) -> Result<Policy, Error> {
    let mut findings = Vec::new();
    let options = options(file, &raw.matrix)?;
    let tiers = tiers(file, &raw.scaling_thresholds)?;
    let edges = edges(file, &raw.scaling_thresholds, &mut findings)?;
    findings.extend(connections(file, &tiers, &options));
    findings.sort();
    Ok(Policy {
        name: format_smolstr!("matrix/{}", file.stem()),
        tiers,
        edges,
        options,
        findings,
    })
}

fn options(file: File<'_>, raw: &RawMatrix) -> Result<Options, Error> {
    let defaults = Options::default();
    let count = |key: &str, given: &Option<Spanned<i64>>, least, most, default| {
        given.as_ref().map_or(Ok(default), |number| {
            file.count_within(key, number, least, most)
        })
    };
    let mut signals = defaults.signals;
    for (name, given) in [
        ("active_sessions", &raw.signals.active_sessions),
        ("cpu_usage", &raw.signals.cpu_usage),
        ("memory_usage", &raw.signals.memory_usage),
        ("queue_length", &raw.signals.queue_length),
    ] {
        if let Some(signal) = given {
            signals.insert(name.to_owned(), signal.clone());
        }
    }
    let leave_below_percent = match &raw.leave_below_percent {
        Some(percent) => file.number_within("matrix.leave_below_percent", percent, 0.0, 90.0)?,
        None => defaults.leave_below_percent,
    };
    Ok(Options {
        signals,
        leave_below_percent,
        stale_after_seconds: i64::from(count(
            "matrix.stale_after_seconds",
            &raw.stale_after_seconds,
            1,
            86_400,
            60,
        )?),
        leave_after_seconds: i64::from(count(
            "matrix.leave_after_seconds",
            &raw.leave_after_seconds,
            0,
            86_400,
            300,
        )?),
        max_connections: count(
            "matrix.max_connections",
            &raw.max_connections,
            1,
            262_143,
            defaults.max_connections,
        )?,
        reserved_connections: count(
            "matrix.reserved_connections",
            &raw.reserved_connections,
            0,
            262_143,
            defaults.reserved_connections,
        )?,
    })
}

/// The tiers' configurations alone, lowest first.
pub(crate) fn tiers(file: File<'_>, raw: &Ordered<RawTier>) -> Result<Vec<Tier>, Error> {
    let mut tiers: Vec<Tier> = Vec::new();
    for (name, raw) in &raw.0 {
        let mut configuration = BTreeMap::new();
        for (key, text) in &raw.configuration.0 {
            let (resource, count) = setting(file, &name.value, key, text)?;
            if configuration.insert(resource, count).is_some() {
                return Err(file.refuse(
                    key.referenced,
                    &format!("{}.configuration", name.value),
                    &key.value,
                    "is a second name of a resource that is there already",
                    "leave one of the two out",
                ));
            }
            fewer_than_below(file, tiers.last(), resource, count, text, name)?;
        }
        let tier = Tier {
            name: name.value.clone(),
            line: name.referenced.line(),
            configuration,
        };
        same_resources(file, tiers.last(), &tier, name)?;
        tiers.push(tier);
    }
    if tiers.is_empty() {
        return Err(Error::Unreadable {
            place: file.at(0),
            problem: "scaling_thresholds has no tier".into(),
            way_out: "config/scaling-matrix.yaml shows four".into(),
        });
    }
    Ok(tiers)
}

fn setting(
    file: File<'_>,
    tier: &str,
    key: &Spanned<String>,
    text: &Spanned<String>,
) -> Result<(Resource, i32), Error> {
    let place = format!("{tier}.configuration");
    let resource: Resource = key.value.parse().map_err(|way_out: String| {
        let names = way_out
            .split_once(": ")
            .map_or(way_out.as_str(), |(_, names)| names);
        file.refuse(key.referenced, &place, &key.value, "is no resource", names)
    })?;
    let (count, way_out) = match resource {
        Resource::CacheMemory => (
            mebibytes(&text.value),
            "write \"512MB\", \"2GB\" or \"2GiB\"; MB and GB are powers of 1,024, as Redis counts",
        ),
        _ => (
            text.value.trim().parse().ok(),
            "give a whole number from 0 on",
        ),
    };
    count
        .filter(|count| *count >= 0)
        .map(|count| (resource, count))
        .ok_or_else(|| {
            let key = format!("{place}.{resource}");
            file.refuse(text.referenced, &key, &text.value, "is no amount", way_out)
        })
}

fn mebibytes(text: &str) -> Option<i32> {
    let text = text.trim();
    let (digits, factor) = [
        ("GiB", 1024.0),
        ("Gi", 1024.0),
        ("GB", 1024.0),
        ("MiB", 1.0),
        ("Mi", 1.0),
        ("MB", 1.0),
    ]
    .into_iter()
    .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?.trim_end(), factor)))?;
    let plain = digits.starts_with(|c: char| c.is_ascii_digit());
    let amount: f64 = plain.then(|| digits.parse().ok()).flatten()?;
    let exact = amount * factor;
    let whole = exact.fract() == 0.0 && exact <= f64::from(i32::MAX);
    whole.then(|| crate::policy_file::rounded_up(exact))
}

/// More load must never give fewer.
fn fewer_than_below(
    file: File<'_>,
    below: Option<&Tier>,
    resource: Resource,
    count: i32,
    text: &Spanned<String>,
    name: &Spanned<String>,
) -> Result<(), Error> {
    let Some((below, fewer)) =
        below.and_then(|tier| Some((tier, tier.configuration.get(&resource)?)))
    else {
        return Ok(());
    };
    if count >= *fewer {
        return Ok(());
    }
    Err(file.refuse(
        text.referenced,
        &format!("{}.configuration.{resource}", name.value),
        &text.value,
        &format!("is less than in {}, which is for less load", below.name),
        "give a higher tier at least what a lower one has",
    ))
}

fn same_resources(
    file: File<'_>,
    below: Option<&Tier>,
    tier: &Tier,
    name: &Spanned<String>,
) -> Result<(), Error> {
    let Some(below) = below else { return Ok(()) };
    if below.configuration.keys().eq(tier.configuration.keys()) {
        return Ok(());
    }
    let resources: Vec<&str> = below.configuration.keys().map(|r| r.as_str()).collect();
    Err(file.refuse(
        name.referenced,
        "scaling_thresholds",
        &name.value,
        &format!("configures other resources than {}", below.name),
        &format!("give every tier the same: {}", resources.join(", ")),
    ))
}

/// For each signal the lower edges of the tiers that have it, ascending.
fn edges(
    file: File<'_>,
    raw: &Ordered<RawTier>,
    findings: &mut Vec<Finding>,
) -> Result<BTreeMap<String, Vec<(usize, f64)>>, Error> {
    let mut edges = BTreeMap::new();
    for (signal, percent, of) in COLUMNS {
        let mut cells = Vec::new();
        let mut lower = Vec::new();
        for (index, (name, tier)) in raw.0.iter().enumerate() {
            let Some(text) = of(tier) else { continue };
            let key = format!("{}.{signal}", name.value);
            let range = Range::parse(&text.value, percent).map_err(|(problem, way_out)| {
                file.refuse(text.referenced, &key, &text.value, problem, &way_out)
            })?;
            lower.push((index, range.from.unwrap_or(f64::NEG_INFINITY)));
            cells.push(Cell {
                tier: name.value.clone(),
                text: text.value.clone(),
                location: text.referenced,
                range,
            });
        }
        adjacency::check(file, signal, &cells, findings)?;
        if !lower.is_empty() {
            edges.insert(signal.to_owned(), lower);
        }
    }
    Ok(edges)
}

fn connections(file: File<'_>, tiers: &[Tier], options: &Options) -> Vec<Finding> {
    let Options {
        max_connections,
        reserved_connections,
        ..
    } = options;
    let free = (max_connections - reserved_connections).max(0);
    tiers
        .iter()
        .filter_map(|tier| {
            let wanted = *tier.configuration.get(&Resource::DbConnections)?;
            let name = &tier.name;
            (wanted > free).then(|| {
                file.finding(
                    tier.line,
                    format!(
                        "{name}: {wanted} db_connections leave none of the server's max_connections \
                         ({max_connections}) for the {reserved_connections} that superusers, replicas and \
                         maintenance need: use at most {free}, or raise max_connections"
                    ),
                )
            })
        })
        .collect()
}
