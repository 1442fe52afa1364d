//! Rows of a file, one by one: which columns are meant, and what is in them.

use std::io::BufRead;

use csv::{ByteRecord, Reader, ReaderBuilder};
use jiff::{Timestamp, tz::TimeZone};

use super::{Error, Options, Report, bins::Row, timestamp::When};

pub struct Rows<R> {
    file: String,
    reader: Reader<R>,
    record: ByteRecord,
    /// The first line, where it is a row and no names.
    waiting: bool,
    time: usize,
    value: usize,
    /// How the value's column is called.
    pub value_name: String,
    zone: TimeZone,
    before: Option<Timestamp>,
}

impl<R: BufRead> Rows<R> {
    pub fn open(file: &str, mut input: R, options: &Options) -> Result<Self, Error> {
        let delimiter = delimiter(&mut input);
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .trim(csv::Trim::All)
            .comment(Some(b'#'))
            .from_reader(input);
        let mut record = ByteRecord::new();
        let read = reader.read_byte_record(&mut record);
        if !read.map_err(|source| csv_error(file, &record, source))? {
            return Err(Error::Empty {
                file: file.to_owned(),
            });
        }
        let fields: Vec<String> = record.iter().map(text).collect();
        let waiting = fields
            .first()
            .is_some_and(|field| When::parse(field).is_some());
        let names = if waiting {
            (1..=fields.len()).map(|at| at.to_string()).collect()
        } else {
            fields
        };
        let place = |wanted: &Option<String>, otherwise: usize| match wanted {
            None => Ok(otherwise),
            Some(wanted) => {
                names
                    .iter()
                    .position(|name| name == wanted)
                    .ok_or_else(|| Error::NoColumn {
                        file: file.to_owned(),
                        wanted: wanted.clone(),
                        there: names.clone(),
                    })
            }
        };
        let time = place(&options.time_column, 0)?;
        let value = place(&options.value_column, 1)?;
        let value_name = names.get(value).cloned().unwrap_or_default();
        Ok(Self {
            file: file.to_owned(),
            reader,
            record,
            waiting,
            time,
            value,
            value_name,
            zone: options.zone.clone().unwrap_or(TimeZone::UTC),
            before: None,
        })
    }

    pub fn zone(&self) -> TimeZone {
        self.zone.clone()
    }

    /// The next row; `None` at the end.
    pub fn next(&mut self, report: &mut Report) -> Result<Option<Row>, Error> {
        if !std::mem::take(&mut self.waiting) {
            let read = self.reader.read_byte_record(&mut self.record);
            if !read.map_err(|source| csv_error(&self.file, &self.record, source))? {
                return Ok(None);
            }
        }
        let line = self.record.position().map_or(0, csv::Position::line);
        report.rows += 1;
        let time = self.time(line)?;
        if self.before.is_some_and(|before| time < before) {
            report.out_of_order.note(line);
        }
        self.before = Some(time);
        let value = self.value(line)?;
        report.without_value += u64::from(value.is_nan());
        if value < 0.0 {
            report.negative.note(line);
        }
        Ok(Some(Row { line, time, value }))
    }

    fn time(&self, line: u64) -> Result<Timestamp, Error> {
        let field = self.record.get(self.time).unwrap_or_default();
        let when = std::str::from_utf8(field).ok().and_then(When::parse);
        when.and_then(|when| when.in_zone(&self.zone, self.before))
            .ok_or_else(|| Error::Time {
                file: self.file.clone(),
                line,
                text: text(field),
            })
    }

    /// The value; `NaN` where there is none. A file with one column is one of events.
    fn value(&self, line: u64) -> Result<f64, Error> {
        let Some(field) = self.record.get(self.value) else {
            if self.value_name.is_empty() {
                return Ok(1.0);
            }
            return Err(Error::Short {
                file: self.file.clone(),
                line,
                fields: self.record.len(),
                wanted: self.value + 1,
            });
        };
        let field = std::str::from_utf8(field).unwrap_or("?");
        match field.to_ascii_lowercase().as_str() {
            "" | "nan" | "na" | "n/a" | "null" | "none" | "-" => return Ok(f64::NAN),
            _ => {}
        }
        match field.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(value),
            Ok(_) => Ok(f64::NAN),
            Err(_) => Err(Error::Value {
                file: self.file.clone(),
                line,
                column: self.value_name.clone(),
                text: field.to_owned(),
            }),
        }
    }
}

/// What separates the fields of the first line.
fn delimiter(input: &mut impl BufRead) -> u8 {
    let start = input.fill_buf().unwrap_or_default();
    let line = start
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let count = |wanted: u8| line.iter().filter(|byte| **byte == wanted).count();
    [b',', b';', b'\t']
        .into_iter()
        .rev()
        .max_by_key(|byte| count(*byte))
        .unwrap_or(b',')
}

fn text(field: &[u8]) -> String {
    let text = String::from_utf8_lossy(field);
    text.trim_start_matches('\u{feff}')
        .chars()
        .take(80)
        .collect()
}

fn csv_error(file: &str, record: &ByteRecord, source: csv::Error) -> Error {
    let line = source
        .position()
        .or(record.position())
        .map_or(0, csv::Position::line);
    Error::Csv {
        file: file.to_owned(),
        line,
        source,
    }
}
