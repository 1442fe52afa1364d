//! Reading a policy's file: where a thing stands in it, errors that say the way out, and findings that don't stop anything.

use std::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_saphyr::{Location, Spanned};
use smol_str::{SmolStr, format_smolstr};

/// A line of a file; lines count from 1, and 0 is the file as a whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    pub file: String,
    pub line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// Why a policy's file is refused. Nothing of it is used then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No YAML or JSON, or not of the shape: an unknown key, a missing one, a text for a number.
    #[error("{place}: {problem}; {way_out}")]
    Unreadable {
        place: Place,
        problem: Box<str>,
        way_out: Box<str>,
    },
    /// The shape is right, a value is not.
    #[error("{place}: {key}: {input:?} {problem}; {way_out}")]
    Refused {
        place: Place,
        key: Box<str>,
        input: Box<str>,
        problem: Box<str>,
        way_out: Box<str>,
    },
}

impl Error {
    #[must_use]
    pub fn place(&self) -> &Place {
        match self {
            Self::Unreadable { place, .. } | Self::Refused { place, .. } => place,
        }
    }
}

/// Something in a file that works, but that its owner should know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    pub place: Place,
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// The name that errors and findings give the file.
#[derive(Clone, Copy)]
pub(crate) struct File<'a>(pub &'a str);

impl File<'_> {
    /// YAML or JSON (which is YAML too) into `T`; `way_out` says what the file should be.
    pub fn read<T: DeserializeOwned>(self, text: &str, way_out: &str) -> Result<T, Error> {
        serde_saphyr::from_str(text).map_err(|error| {
            let line = error.location().map_or(0, |location| location.line());
            Error::Unreadable {
                place: self.at(line),
                problem: format!("{}{}", problem(&error), quoted(text, line)).into(),
                way_out: way_out.into(),
            }
        })
    }

    /// The name without folders and ending, for a policy whose file gives it none.
    pub fn stem(&self) -> &str {
        let name = self.0.rsplit('/').next().unwrap_or(self.0);
        name.split_once('.').map_or(name, |(stem, _)| stem)
    }

    pub fn at(self, line: u64) -> Place {
        Place {
            file: self.0.to_owned(),
            line,
        }
    }

    pub fn refuse(
        self,
        location: Location,
        key: &str,
        input: impl fmt::Display,
        problem: &str,
        way_out: &str,
    ) -> Error {
        Error::Refused {
            place: self.at(location.line()),
            key: key.into(),
            input: input.to_string().into(),
            problem: problem.into(),
            way_out: way_out.into(),
        }
    }

    pub fn finding(self, line: u64, message: String) -> Finding {
        Finding {
            place: self.at(line),
            message,
        }
    }

    /// The number, if it is finite and in the range.
    pub fn number_within(
        self,
        key: &str,
        number: &Spanned<f64>,
        least: f64,
        most: f64,
    ) -> Result<f64, Error> {
        let value = number.value;
        if value.is_finite() && value >= least && value <= most {
            return Ok(value);
        }
        Err(self.refuse(
            number.referenced,
            key,
            value,
            "is out of range",
            &format!("give a number from {least} to {most}"),
        ))
    }

    /// The count, if it is in the range.
    pub fn count_within(
        self,
        key: &str,
        number: &Spanned<i64>,
        least: i32,
        most: i32,
    ) -> Result<i32, Error> {
        i32::try_from(number.value)
            .ok()
            .filter(|value| (least..=most).contains(value))
            .ok_or_else(|| {
                self.refuse(
                    number.referenced,
                    key,
                    number.value,
                    "is out of range",
                    &format!("give a whole number from {least} to {most}"),
                )
            })
    }
}

/// `count` × `factor`, rounded up: capacity is never rounded away. What a product of decimal fractions has too much, such as
/// 11.000000000000002 for 10 × 1.1, is no reason for one more.
#[must_use]
pub(crate) fn times_rounded_up(count: i32, factor: f64) -> i32 {
    rounded_up(f64::from(count) * factor)
}

/// The least whole number that is no less, but for an error of computation of a billionth of it.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    reason = "`as` saturates, and a count of that size meets its bounds later"
)]
pub(crate) fn rounded_up(value: f64) -> i32 {
    (value - value.abs() * 1e-9).ceil() as i32
}

/// A number as people read it: at most two decimals.
#[must_use]
pub(crate) fn shown(value: f64) -> SmolStr {
    let hundredths = (value * 100.0).round();
    if hundredths.is_nan() || hundredths.abs() >= 1e15 {
        return format_smolstr!("{}", hundredths / 100.0);
    }
    // From whole numbers it is written several times as fast, and every decision writes dozens.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole, and far from the ends of an i64"
    )]
    let hundredths = hundredths as i64;
    let sign = if hundredths < 0 { "-" } else { "" };
    let (whole, rest) = (
        hundredths.unsigned_abs() / 100,
        hundredths.unsigned_abs() % 100,
    );
    match (rest / 10, rest % 10) {
        (0, 0) => format_smolstr!("{sign}{whole}"),
        (tenths, 0) => format_smolstr!("{sign}{whole}.{tenths}"),
        (tenths, rest) => format_smolstr!("{sign}{whole}.{tenths}{rest}"),
    }
}

/// The parser's words without the place, which stands at the front already, and without its hints to programmers.
fn problem(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let text = text.split(" at line ").next().unwrap_or(&text);
    let text = text
        .split(", set DuplicateKeyPolicy")
        .next()
        .unwrap_or(text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn quoted(text: &str, line: u64) -> String {
    usize::try_from(line)
        .ok()
        .and_then(|line| text.lines().nth(line.checked_sub(1)?))
        .map(|line| line.trim().chars().take(80).collect::<String>())
        .filter(|line| !line.is_empty())
        .map_or_else(String::new, |line| format!(" in `{line}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Shape {
        #[expect(dead_code, reason = "only whether it can be read matters")]
        count: Option<i32>,
    }

    #[test]
    fn an_unreadable_file_is_refused_with_its_line_and_the_way_out() {
        for (text, line, part) in [
            ("count: 3\ncuont: 3\n", 2, "cuont"),
            ("count: 3\ncount: 4\n", 2, "count"),
            ("count: three\n", 1, "three"),
            ("# words\ncount: [1\n", 2, "[1"),
        ] {
            let error = File("a.yaml").read::<Shape>(text, "see b").unwrap_err();
            let message = error.to_string();
            assert_eq!(error.place().line, line, "{message}");
            assert!(message.starts_with("a.yaml:"), "{message}");
            assert!(message.contains(part), "{message}");
            assert!(message.ends_with("; see b"), "{message}");
        }
    }

    #[test]
    fn rounding_goes_up_but_not_for_an_error_of_computation() {
        for (count, factor, expected) in [
            (3, 1.5, 5),
            (10, 1.1, 11),
            (12, 3.0, 36),
            (2, 1.0, 2),
            (0, 2.0, 0),
            (7, 1.000_001, 8),
            (i32::MAX, 100.0, i32::MAX),
        ] {
            assert_eq!(
                times_rounded_up(count, factor),
                expected,
                "{count} × {factor}"
            );
        }
    }

    #[test]
    fn a_number_has_two_decimals_at_most_and_no_needless_zeros() {
        let numbers = [
            (0.0, "0"),
            (-0.001, "0"),
            (0.05, "0.05"),
            (-0.5, "-0.5"),
            (1.999, "2"),
            (63.0, "63"),
            (63.14159, "63.14"),
            (-12.3, "-12.3"),
            (1e20, "100000000000000000000"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "inf"),
        ];
        for (number, text) in numbers {
            assert_eq!(shown(number), text);
        }
    }
}
