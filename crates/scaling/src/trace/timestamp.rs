//! Times as they are written in traces.

use jiff::{Timestamp, civil, tz::TimeZone};

/// A time with its place on the globe, or the clock on some wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Moment(Timestamp),
    Wall(civil::DateTime),
}

impl When {
    /// RFC 3339, `YYYY-MM-DD HH:MM[:SS[.f]]`, a date, a month `YYYY-MM`, or seconds (or milliseconds) since 1970.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(moment) = epoch(text) {
            return Some(Self::Moment(moment));
        }
        let bytes = text.as_bytes();
        if bytes.len() == 7 && bytes[4] == b'-' {
            return format!("{text}-01")
                .parse()
                .ok()
                .map(|date: civil::Date| Self::Wall(date.at(0, 0, 0, 0)));
        }
        let has_offset = bytes.len() > 16
            && (bytes.ends_with(b"Z") || bytes[16..].iter().any(|b| matches!(b, b'+' | b'-')));
        if has_offset {
            return text.parse().ok().map(Self::Moment);
        }
        text.parse::<civil::DateTime>()
            .or_else(|_| text.parse::<civil::Date>().map(|date| date.at(0, 0, 0, 0)))
            .ok()
            .map(Self::Wall)
    }

    /// The moment in a zone. Of a time that happens twice, the one that does not come before `after`.
    #[must_use]
    pub fn in_zone(self, zone: &TimeZone, after: Option<Timestamp>) -> Option<Timestamp> {
        match self {
            Self::Moment(moment) => Some(moment),
            Self::Wall(time) => {
                let early = zone.to_timestamp(time).ok()?;
                match after {
                    Some(after) if early <= after && super::is_ambiguous(zone, time) => {
                        zone.to_ambiguous_timestamp(time).later().ok()
                    }
                    _ => Some(early),
                }
            }
        }
    }
}

/// Seconds since 1970 with or without a fraction; from 12 digits on, milliseconds. Four digits are a year, so seconds need 9.
fn epoch(text: &str) -> Option<Timestamp> {
    let whole = text.split('.').next()?;
    if whole.len() < 9 || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds: f64 = text.parse().ok()?;
    let seconds = if whole.len() >= 12 {
        seconds / 1000.0
    } else {
        seconds
    };
    Timestamp::from_millisecond((seconds * 1000.0).round() as i64).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_way_to_write_a_time_is_understood() {
        let moment = When::Moment("2024-05-01T10:00:00Z".parse().unwrap());
        let wall = When::Wall(civil::date(2024, 5, 1).at(10, 0, 0, 0));
        let day = When::Wall(civil::date(2024, 5, 1).at(0, 0, 0, 0));
        for (text, when) in [
            ("2024-05-01T10:00:00Z", moment),
            ("2024-05-01T12:00:00+02:00", moment),
            ("2024-05-01 12:00:00+02:00", moment),
            ("1714557600", moment),
            ("1714557600.0", moment),
            ("1714557600000", moment),
            ("2024-05-01 10:00:00", wall),
            ("2024-05-01 10:00", wall),
            ("2024-05-01T10:00:00.000", wall),
            ("2024-05-01", day),
            ("2024-05", day),
        ] {
            assert_eq!(When::parse(text), Some(when), "{text}");
        }
        for text in ["", "yesterday", "12", "2024", "2024-13-01", "01/05/2024"] {
            assert_eq!(When::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_hour_that_happens_twice_is_two_hours() {
        let zone = TimeZone::get("Europe/Amsterdam").unwrap();
        let twice = When::parse("2024-10-27 02:00:00").unwrap();
        let first = twice.in_zone(&zone, None).unwrap();
        let second = twice.in_zone(&zone, Some(first)).unwrap();
        assert_eq!(second.as_second() - first.as_second(), 3600);
    }
}
