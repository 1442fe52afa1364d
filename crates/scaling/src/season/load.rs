//! From the file's words to a calendar.

use std::collections::BTreeSet;

use jiff::{
    civil::{Date, Weekday},
    tz::{TimeZone, TimeZoneDatabase},
};
use serde_saphyr::Spanned;

use crate::{
    matrix::file::{RawCalendar, RawHours, RawSeason},
    policy_file::{Error, File},
};

use super::{Hours, Season, Window, holidays::Country};

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];
const MULTIPLIER_MOST: f64 = 100.0;

pub(super) fn season(file: File<'_>, raw: &RawSeason) -> Result<Season, Error> {
    let key = "flu_season.multiplier";
    let workers = raw.additional_workers.as_ref().map_or(Ok(0), |number| {
        file.count_within("flu_season.additional_workers", number, 0, 10_000)
    })?;
    let (first, last) = months(&raw.duration.value).ok_or_else(|| {
        file.refuse(
            raw.duration.referenced,
            "flu_season.duration",
            &raw.duration.value,
            "is no span of months",
            "write two months' names, such as \"October-March\"",
        )
    })?;
    Ok(Season {
        multiplier: file.number_within(key, &raw.multiplier, 1.0, MULTIPLIER_MOST)?,
        first,
        last,
        additional_workers: workers,
        text: raw.duration.value.clone(),
    })
}

fn months(text: &str) -> Option<(i8, i8)> {
    let month = |name: &str| {
        let name = name.trim().to_lowercase();
        let index = MONTHS
            .iter()
            .position(|full| *full == name || (name.len() == 3 && full.starts_with(&name)))?;
        i8::try_from(index + 1).ok()
    };
    let (first, last) = text.split_once(['-', '–'])?;
    Some((month(first)?, month(last)?))
}

pub(super) fn hours(file: File<'_>, raw: &RawHours) -> Result<Hours, Error> {
    let text = &raw.peak_times;
    let windows = text
        .value
        .split(',')
        .map(window)
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| {
            file.refuse(
                text.referenced,
                "business_hours.peak_times",
                &text.value,
                "is no span of hours",
                "write \"08:00-18:00\", or several with commas; one that ends before it begins ends on the next day",
            )
        })?;
    let key = "business_hours.multiplier";
    Ok(Hours {
        multiplier: file.number_within(key, &raw.multiplier, 1.0, MULTIPLIER_MOST)?,
        windows,
        text: text.value.clone(),
    })
}

fn window(text: &str) -> Option<Window> {
    let (from, to) = text.split_once(['-', '–'])?;
    let (from, to) = (minute(from)?, minute(to)?);
    let valid = from != to && from < 24 * 60;
    valid.then_some(Window {
        from,
        to: if to < from { to + 24 * 60 } else { to },
    })
}

/// Minutes since midnight; `24:00` is the end of the day.
fn minute(text: &str) -> Option<i32> {
    let (hour, minute) = text.trim().split_once(':')?;
    let digits = |text: &str| text.len() <= 2 && text.chars().all(|c| c.is_ascii_digit());
    if !digits(hour) || minute.len() != 2 || !digits(minute) {
        return None;
    }
    let (hour, minute): (i32, i32) = (hour.parse().ok()?, minute.parse().ok()?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= 24 * 60).then_some(total)
}

/// From the database of time zones that is built in, so that a decision replays anywhere.
pub(super) fn time_zone(file: File<'_>, raw: &RawCalendar) -> Result<TimeZone, Error> {
    let zones = TimeZoneDatabase::bundled();
    let Some(name) = &raw.time_zone else {
        return Ok(zones.get("Europe/Amsterdam").unwrap_or(TimeZone::UTC));
    };
    zones.get(&name.value).map_err(|_| {
        file.refuse(
            name.referenced,
            "calendar.time_zone",
            &name.value,
            "is no time zone",
            "give an IANA name, such as Europe/Amsterdam",
        )
    })
}

pub(super) fn weekdays(file: File<'_>, raw: &RawCalendar) -> Result<Vec<Weekday>, Error> {
    let Some(names) = &raw.weekdays else {
        return Ok(WEEKDAYS[..5].iter().map(|(_, day)| *day).collect());
    };
    each(
        file,
        "calendar.weekdays",
        "is no day of the week",
        names,
        |name| {
            let name = name.to_lowercase();
            let found = WEEKDAYS.iter().find(|(full, _)| *full == name);
            found
                .map(|(_, day)| *day)
                .ok_or("write them out, such as monday")
        },
    )
}

pub(super) fn countries(file: File<'_>, raw: &RawCalendar) -> Result<Vec<Country>, Error> {
    let names = &raw.public_holidays;
    each(
        file,
        "calendar.public_holidays",
        "is not known here",
        names,
        str::parse,
    )
}

pub(super) fn holidays(file: File<'_>, raw: &RawCalendar) -> Result<BTreeSet<Date>, Error> {
    let dates = each(
        file,
        "calendar.holidays",
        "is no date",
        &raw.holidays,
        |text| {
            text.parse()
                .map_err(|_| "write year-month-day, such as 2026-12-24")
        },
    )?;
    Ok(dates.into_iter().collect())
}

fn each<T>(
    file: File<'_>,
    key: &str,
    problem: &str,
    texts: &[Spanned<String>],
    parse: impl Fn(&str) -> Result<T, &'static str>,
) -> Result<Vec<T>, Error> {
    texts
        .iter()
        .map(|text| {
            parse(text.value.trim())
                .map_err(|way_out| file.refuse(text.referenced, key, &text.value, problem, way_out))
        })
        .collect()
}
