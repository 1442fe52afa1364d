//! Where a moment stands in its day, week and year, and whether it is a holiday.

use std::str::FromStr;

use jiff::{Span, civil, civil::Date};
use serde::Serialize;

use crate::series::Series;

/// Shares of the day, of the week from Monday, and of the year, each from 0 to below 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    pub day: f64,
    pub week: f64,
    pub year: f64,
    pub holiday: bool,
}

impl Moment {
    #[must_use]
    pub fn of(time: civil::DateTime, holidays: Holidays) -> Self {
        let seconds = i32::from(time.hour()) * 3600
            + i32::from(time.minute()) * 60
            + i32::from(time.second());
        let day = f64::from(seconds) / 86_400.0;
        let date = time.date();
        let weekday = f64::from(date.weekday().to_monday_zero_offset());
        let days = f64::from(date.days_in_year());
        Self {
            day,
            week: (weekday + day) / 7.0,
            year: (f64::from(date.day_of_year() - 1) + day) / days,
            holiday: holidays.falls_on(date),
        }
    }

    /// Those of the steps from one to another; a step stands where its middle is.
    #[must_use]
    pub fn of_series(series: &Series, from: usize, to: usize, holidays: Holidays) -> Vec<Self> {
        (from..to)
            .map(|index| Self::of(series.local_time(index), holidays))
            .collect()
    }
}

/// Whose public holidays are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Holidays {
    #[default]
    None,
    Netherlands,
    UnitedStates,
    England,
}

impl FromStr for Holidays {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_lowercase().as_str() {
            "none" => Ok(Self::None),
            "nl" => Ok(Self::Netherlands),
            "us" => Ok(Self::UnitedStates),
            "gb" | "uk" => Ok(Self::England),
            _ => Err(format!(
                "no holidays are known for {text:?}: use nl, us, gb or none"
            )),
        }
    }
}

impl Holidays {
    #[must_use]
    pub fn falls_on(self, date: Date) -> bool {
        let (month, day) = (date.month(), date.day());
        let after_easter = || {
            i64::from(
                date.since(easter(date.year()))
                    .map_or(999, |span| span.get_days()),
            )
        };
        let fixed = |days: &[(i8, i8)]| days.contains(&(month, day));
        match self {
            Self::None => false,
            Self::Netherlands => {
                let kings = if civil::date(date.year(), 4, 27).weekday() == civil::Weekday::Sunday {
                    26
                } else {
                    27
                };
                fixed(&[(1, 1), (12, 25), (12, 26), (4, kings)])
                    || (month == 5 && day == 5 && date.year() % 5 == 0)
                    || [-2, 0, 1, 39, 49, 50].contains(&after_easter())
            }
            Self::UnitedStates => {
                fixed(&[(1, 1), (6, 19), (7, 4), (11, 11), (12, 25)])
                    || is_nth(date, 1, civil::Weekday::Monday, 3)
                    || is_nth(date, 2, civil::Weekday::Monday, 3)
                    || is_last(date, 5, civil::Weekday::Monday)
                    || is_nth(date, 9, civil::Weekday::Monday, 1)
                    || is_nth(date, 11, civil::Weekday::Thursday, 4)
            }
            Self::England => {
                fixed(&[(1, 1), (12, 25), (12, 26)])
                    || is_nth(date, 5, civil::Weekday::Monday, 1)
                    || is_last(date, 5, civil::Weekday::Monday)
                    || is_last(date, 8, civil::Weekday::Monday)
                    || [-2, 0, 1].contains(&after_easter())
            }
        }
    }
}

fn is_nth(date: Date, month: i8, weekday: civil::Weekday, nth: i8) -> bool {
    date.month() == month && date.weekday() == weekday && (date.day() - 1) / 7 + 1 == nth
}

fn is_last(date: Date, month: i8, weekday: civil::Weekday) -> bool {
    let next = date.saturating_add(Span::new().days(7));
    date.month() == month && date.weekday() == weekday && next.month() != month
}

/// Western Easter Sunday (the anonymous Gregorian algorithm).
fn easter(year: i16) -> Date {
    let year = i32::from(year);
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let (d, e) = (b / 4, b % 4);
    let g = (8 * b + 13) / 25;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let n = h + l - 7 * m + 114;
    let narrow = |value: i32| i8::try_from(value).unwrap_or(1);
    let year = i16::try_from(year).unwrap_or(2000);
    Date::new(year, narrow(n / 31), narrow(n % 31 + 1)).unwrap_or(Date::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holidays_fall_on_their_days() {
        for (holidays, date) in [
            (Holidays::Netherlands, civil::date(2024, 4, 1)),
            (Holidays::Netherlands, civil::date(2024, 5, 9)),
            (Holidays::Netherlands, civil::date(2025, 4, 26)),
            (Holidays::Netherlands, civil::date(2025, 6, 9)),
            (Holidays::UnitedStates, civil::date(2024, 11, 28)),
            (Holidays::UnitedStates, civil::date(2024, 5, 27)),
            (Holidays::England, civil::date(2024, 3, 29)),
            (Holidays::England, civil::date(2024, 8, 26)),
        ] {
            assert!(holidays.falls_on(date), "{date}");
        }
        assert!(!Holidays::Netherlands.falls_on(civil::date(2024, 5, 5)));
        assert!(!Holidays::None.falls_on(civil::date(2024, 12, 25)));
    }
}
