//! Whether the tiers of a signal join: gaps, overlaps and edges that two tiers name are found and resolved.

use crate::policy_file::{Error, File, Finding};

use super::{load::Cell, range::Range};

/// The ranges of one signal, lowest tier first. A tier counts from its lower edge up to the next one's: what is said about
/// upper edges changes nothing, so what they contradict is only reported.
pub(super) fn check(
    file: File<'_>,
    signal: &str,
    cells: &[Cell],
    findings: &mut Vec<Finding>,
) -> Result<(), Error> {
    for pair in cells.windows(2) {
        let [lower, higher] = pair else { continue };
        ascending(file, signal, lower, higher)?;
        if let Some(message) = join(signal, lower, higher) {
            findings.push(file.finding(higher.location.line(), message));
        }
    }
    findings.extend(ends(file, signal, cells));
    Ok(())
}

fn ascending(file: File<'_>, signal: &str, lower: &Cell, higher: &Cell) -> Result<(), Error> {
    let begins = |range: Range| range.from.unwrap_or(f64::NEG_INFINITY);
    if begins(higher.range) > begins(lower.range) {
        return Ok(());
    }
    Err(file.refuse(
        higher.location,
        &format!("{}.{signal}", higher.tier),
        &higher.text,
        &format!("begins no higher than {} ({:?})", lower.tier, lower.text),
        "order the tiers from the least load to the most, each beginning above the one before it",
    ))
}

fn join(signal: &str, lower: &Cell, higher: &Cell) -> Option<String> {
    let from = higher.range.from?;
    let (low, high) = (&lower.tier, &higher.tier);
    let texts = format!("({:?} and {:?})", lower.text, higher.text);
    Some(match lower.range.to {
        None => format!(
            "{signal}: {low} and {high} overlap from {from} on {texts}: taken as {high} from {from} on"
        ),
        Some(to) if to > from => format!(
            "{signal}: {low} and {high} overlap from {from} to {to} {texts}: taken as {high} from {from} on"
        ),
        Some(to) if to < from => format!(
            "{signal}: from {to} to {from} is a gap between {low} and {high} {texts}: taken as {low} up to {from}"
        ),
        Some(_) => format!(
            "{signal}: {from} is an edge of both {low} and {high} {texts}: taken as {high} from {from} on"
        ),
    })
}

fn ends(file: File<'_>, signal: &str, cells: &[Cell]) -> Vec<Finding> {
    let first = cells.first().and_then(|cell| {
        let from = cell.range.from.filter(|from| *from > 0.0)?;
        let tier = &cell.tier;
        Some(file.finding(
            cell.location.line(),
            format!("{signal}: no tier has what is under {from}: taken as {tier}"),
        ))
    });
    let last = cells.last().and_then(|cell| {
        let whole = cell.text.trim_end().ends_with('%');
        let open = |to: &f64| cell.range.from.is_some() && !(whole && *to >= 100.0);
        let to = cell.range.to.filter(open)?;
        let tier = &cell.tier;
        Some(file.finding(
            cell.location.line(),
            format!("{signal}: no tier has {to} and more: taken as {tier}"),
        ))
    });
    first.into_iter().chain(last).collect()
}
