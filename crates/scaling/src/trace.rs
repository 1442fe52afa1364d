//! Reading traces: rows of a time and a value in, one series out. Rows are put into steps as they come, so that a file of any size
//! needs the memory of its series alone.

mod bins;
mod detect;
mod error;
mod rows;
mod timestamp;

use std::io::BufRead;

use jiff::{civil, tz::TimeZone};
use serde::Serialize;

use self::{bins::Bins, detect::Shape, rows::Rows};
pub use self::{error::Error, timestamp::When};
use crate::series::{Series, Step};

/// How many rows are looked at to find the step.
const LOOKED_AT: usize = 4_000;

/// How values that fall into one step become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// Found from the column's name and the rows.
    #[default]
    Auto,
    /// Values are amounts, such as arrivals.
    Sum,
    /// Values are levels, such as active sessions.
    Mean,
    /// Each row is one event, whatever its value.
    Count,
    /// Values are a counter that only grows, and starts again at a restart.
    Counter,
}

#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The column with times, by name; without it the first.
    pub time_column: Option<String>,
    /// The column with values, by name; without it the second.
    pub value_column: Option<String>,
    pub aggregate: Aggregate,
    /// Without it, the step of the rows.
    pub step: Option<Step>,
    /// The zone of times without one, and the one in which days are counted.
    pub zone: Option<TimeZone>,
}

/// A series with what was seen while it was read.
#[derive(Clone, Debug)]
pub struct Trace {
    pub series: Series,
    pub report: Report,
}

/// What was found in a file, for people to judge whether it is what they meant.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    pub column: String,
    pub aggregate: Aggregate,
    pub rows: u64,
    /// Rows whose value is empty or not a number.
    pub without_value: u64,
    pub negative: Places,
    pub duplicates: Places,
    pub out_of_order: Places,
    pub counter_resets: Places,
    /// Steps for which there is no value, and the longest run of them.
    pub gaps: u64,
    pub longest_gap: u64,
    /// What a reader should know, as sentences.
    pub notes: Vec<String>,
}

/// How often something was seen, and the line where it was first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Places {
    pub count: u64,
    pub first_line: Option<u64>,
}

impl Places {
    fn note(&mut self, line: u64) {
        self.count += 1;
        self.first_line.get_or_insert(line);
    }
}

/// Reads comma, semicolon or tab separated text. `name` is what errors call it.
///
/// # Errors
/// The first line that can't be understood, a column that is not there, or a file without demand in it.
pub fn read(name: &str, input: impl BufRead, options: &Options) -> Result<Trace, Error> {
    let mut rows = Rows::open(name, input, options)?;
    let mut report = Report {
        column: rows.value_name.clone(),
        ..Report::default()
    };
    let mut first = Vec::with_capacity(LOOKED_AT);
    while first.len() < LOOKED_AT {
        match rows.next(&mut report)? {
            Some(row) => first.push(row),
            None => break,
        }
    }
    let shape = Shape::detect(name, &first, options, &rows.value_name)?;
    report.aggregate = shape.aggregate;
    report.notes.extend(shape.note.clone());
    let mut bins = Bins::new(name, &shape, rows.zone());
    for row in first {
        bins.add(&row, &mut report)?;
    }
    while let Some(row) = rows.next(&mut report)? {
        bins.add(&row, &mut report)?;
    }
    finish(name, bins, report)
}

fn finish(name: &str, bins: Bins, mut report: Report) -> Result<Trace, Error> {
    if report.negative.count * 2 > report.rows {
        return Err(Error::NotDemand {
            file: name.to_owned(),
            column: report.column,
            negative: report.negative.count,
            rows: report.rows,
        });
    }
    report.notes.extend(bins.coarsened());
    let series = bins.into_series();
    let mut run = 0;
    for value in series.values() {
        run = if value.is_nan() { run + 1 } else { 0 };
        report.gaps += u64::from(value.is_nan());
        report.longest_gap = report.longest_gap.max(run);
    }
    if series.known() < 2 {
        return Err(Error::TooShort {
            file: name.to_owned(),
        });
    }
    report.notes.extend(describe(&report, series.step()));
    Ok(Trace { series, report })
}

fn describe(report: &Report, step: Step) -> Vec<String> {
    let places = |what: &str, places: Places, done: &str| {
        let line = places.first_line?;
        let count = places.count;
        Some(format!("{count} {what}, the first in line {line}: {done}"))
    };
    let gap = (report.gaps > 0).then(|| {
        let (gaps, longest) = (report.gaps, report.longest_gap);
        format!("{gaps} steps of {step} have no value (longest gap: {longest}): left out, not taken for 0")
    });
    [
        places(
            "negative values",
            report.negative,
            "left out, as demand is never negative",
        ),
        places(
            "times that came before",
            report.duplicates,
            "the later row counts",
        ),
        places(
            "rows out of order",
            report.out_of_order,
            "put in their place",
        ),
        places("counter resets", report.counter_resets, "counted on from 0"),
        (report.without_value > 0)
            .then(|| format!("{} rows have no value: left out", report.without_value)),
        gap,
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Whether a civil time happens twice in a zone, as when clocks are set back.
fn is_ambiguous(zone: &TimeZone, time: civil::DateTime) -> bool {
    matches!(
        zone.to_ambiguous_timestamp(time).offset(),
        jiff::tz::AmbiguousOffset::Fold { .. }
    )
}

#[cfg(test)]
mod tests;
