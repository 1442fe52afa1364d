//! Public holidays by country, computed.
//!
//! NL: New Year, Easter, King's Day, Liberation Day in every fifth year, Ascension, Whitsun, Christmas: the days that
//! hospitals' collective agreement counts. Good Friday and the other Liberation Days are working days for many: list them
//! under `holidays` where they are not. US: the federal holidays of 5 U.S.C. § 6103, and the day they are observed on.

use std::str::FromStr;

use jiff::{
    ToSpan,
    civil::{Date, Weekday, date},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Country {
    Netherlands,
    UnitedStates,
}

impl FromStr for Country {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "NL" => Ok(Self::Netherlands),
            "US" => Ok(Self::UnitedStates),
            _ => Err("use NL or US, and list other countries' dates under holidays"),
        }
    }
}

impl Country {
    /// The name of the holiday that this day is.
    #[must_use]
    pub fn holiday(self, day: Date) -> Option<&'static str> {
        match self {
            Self::Netherlands => netherlands(day),
            Self::UnitedStates => united_states(day),
        }
    }
}

fn netherlands(day: Date) -> Option<&'static str> {
    let year = day.year();
    let fixed = match (day.month(), day.day()) {
        (1, 1) => Some("Nieuwjaarsdag"),
        (5, 5) if year % 5 == 0 => Some("Bevrijdingsdag"),
        (12, 25) => Some("Eerste kerstdag"),
        (12, 26) => Some("Tweede kerstdag"),
        _ => None,
    };
    fixed
        .or_else(|| (day == kings_day(year)).then_some("Koningsdag"))
        .or_else(|| {
            Some(match (day - easter(year)).get_days() {
                0 => "Eerste paasdag",
                1 => "Tweede paasdag",
                39 => "Hemelvaartsdag",
                49 => "Eerste pinksterdag",
                50 => "Tweede pinksterdag",
                _ => return None,
            })
        })
}

/// 27 April, or the day before when that is a Sunday.
fn kings_day(year: i16) -> Date {
    let day = date(year, 4, 27);
    match day.weekday() {
        Weekday::Sunday => date(year, 4, 26),
        _ => day,
    }
}

fn united_states(day: Date) -> Option<&'static str> {
    let nth = (day.day() - 1) / 7 + 1;
    let last = day.day() + 7 > day.days_in_month();
    let moving = match (day.month(), day.weekday()) {
        (1, Weekday::Monday) if nth == 3 => Some("Martin Luther King Jr. Day"),
        (2, Weekday::Monday) if nth == 3 => Some("Washington's Birthday"),
        (5, Weekday::Monday) if last => Some("Memorial Day"),
        (9, Weekday::Monday) if nth == 1 => Some("Labor Day"),
        (10, Weekday::Monday) if nth == 2 => Some("Columbus Day"),
        (11, Weekday::Thursday) if nth == 4 => Some("Thanksgiving Day"),
        _ => None,
    };
    let observed = match day.weekday() {
        Weekday::Friday => day.checked_add(1.day()).ok(),
        Weekday::Monday => day.checked_sub(1.day()).ok(),
        _ => None,
    };
    moving
        .or_else(|| fixed_in_the_us(day))
        .or_else(|| observed.and_then(fixed_in_the_us))
}

fn fixed_in_the_us(day: Date) -> Option<&'static str> {
    Some(match (day.month(), day.day()) {
        (1, 1) => "New Year's Day",
        (6, 19) if day.year() >= 2021 => "Juneteenth",
        (7, 4) => "Independence Day",
        (11, 11) => "Veterans Day",
        (12, 25) => "Christmas Day",
        _ => return None,
    })
}

/// Easter Sunday by the Gregorian computus (Meeus, Jones, Butcher).
fn easter(year: i16) -> Date {
    let y = i32::from(year);
    let (a, b, c) = (y % 19, y / 100, y % 100);
    let g = (8 * b + 13) / 25;
    let h = (19 * a + b - b / 4 - g + 15) % 30;
    let l = (32 + 2 * (b % 4) + 2 * (c / 4) - h - c % 4) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let sum = h + l - 7 * m + 114;
    let narrow = |n: i32| i8::try_from(n).unwrap_or(1);
    date(year, narrow(sum / 31), narrow(sum % 31 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn easter_is_when_it_is() {
        for (year, month, day) in [
            (1961, 4, 2),
            (2000, 4, 23),
            (2008, 3, 23),
            (2019, 4, 21),
            (2024, 3, 31),
            (2025, 4, 20),
            (2026, 4, 5),
            (2027, 3, 28),
            (2038, 4, 25),
        ] {
            assert_eq!(easter(year), date(year, month, day));
        }
    }

    #[test]
    fn dutch_and_american_holidays_are_found_and_other_days_are_not() {
        use Country::{Netherlands as NL, UnitedStates as US};
        for (country, day, name) in [
            (NL, date(2026, 1, 1), Some("Nieuwjaarsdag")),
            (NL, date(2026, 4, 3), None),
            (NL, date(2026, 4, 6), Some("Tweede paasdag")),
            (NL, date(2026, 4, 27), Some("Koningsdag")),
            (NL, date(2025, 4, 26), Some("Koningsdag")),
            (NL, date(2025, 4, 27), None),
            (NL, date(2025, 5, 5), Some("Bevrijdingsdag")),
            (NL, date(2026, 5, 5), None),
            (NL, date(2026, 5, 14), Some("Hemelvaartsdag")),
            (NL, date(2026, 5, 25), Some("Tweede pinksterdag")),
            (NL, date(2026, 12, 26), Some("Tweede kerstdag")),
            (NL, date(2026, 11, 26), None),
            (US, date(2026, 11, 26), Some("Thanksgiving Day")),
            (US, date(2026, 1, 19), Some("Martin Luther King Jr. Day")),
            (US, date(2026, 5, 25), Some("Memorial Day")),
            (US, date(2026, 7, 3), Some("Independence Day")),
            (US, date(2021, 12, 31), Some("New Year's Day")),
            (US, date(2023, 1, 2), Some("New Year's Day")),
            (US, date(2026, 4, 6), None),
            (US, date(2020, 6, 19), None),
        ] {
            assert_eq!(country.holiday(day), name, "{country:?} {day}");
        }
    }
}
