//! Where a moment stands in its day, week and year, and whether it is a holiday.

use std::str::FromStr;

use jiff::{civil, civil::Date};

use crate::{season::Country, series::Series};

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holidays(Option<Country>);

impl Holidays {
    pub const NONE: Self = Self(None);

    #[must_use]
    pub fn of(country: Country) -> Self {
        Self(Some(country))
    }

    #[must_use]
    pub fn falls_on(self, date: Date) -> bool {
        self.0
            .is_some_and(|country| country.holiday(date).is_some())
    }
}

impl FromStr for Holidays {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "none" {
            return Ok(Self::NONE);
        }
        let country = text.to_ascii_uppercase().parse();
        country
            .map(Self::of)
            .map_err(|_| format!("no holidays are known for {text:?}: use nl, us or none"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holidays_are_those_of_the_country_that_was_named() {
        let kings_day = civil::date(2024, 4, 27);
        assert!("nl".parse::<Holidays>().unwrap().falls_on(kings_day));
        assert!(!"us".parse::<Holidays>().unwrap().falls_on(kings_day));
        assert!(!"none".parse::<Holidays>().unwrap().falls_on(kings_day));
        assert!("atlantis".parse::<Holidays>().is_err());
    }
}
