//! Steps that are filled as rows come. When there are too many of them, they become coarser.

use jiff::{Timestamp, civil, tz::TimeZone};

use super::{
    Aggregate, Error, Report,
    detect::{LADDER, Shape},
};
use crate::series::{
    Combine, Series, Step, YEAR_DAYS, date_of_day, date_of_month, day_number, month_number,
};

/// 2 million steps are 48 MB; minutes of four years fit.
const MOST: usize = 2_000_000;

#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub line: u64,
    pub time: Timestamp,
    /// `NaN` where there is none.
    pub value: f64,
}

#[derive(Clone, Copy)]
struct Bin {
    sum: f64,
    count: f64,
    /// The last time in it, in milliseconds, to know a row that comes again.
    last: i64,
}

const EMPTY: Bin = Bin {
    sum: 0.0,
    count: 0.0,
    last: i64::MIN,
};

pub struct Bins {
    file: String,
    step: Step,
    asked: Step,
    aggregate: Aggregate,
    one_a_step: bool,
    zone: TimeZone,
    /// For steps of days: where they begin.
    phase: Option<i64>,
    /// The number of the first step in `bins`.
    first: i64,
    bins: Vec<Bin>,
    counter: Option<f64>,
}

impl Bins {
    pub fn new(file: &str, shape: &Shape, zone: TimeZone) -> Self {
        Self {
            file: file.to_owned(),
            step: shape.step,
            asked: shape.step,
            aggregate: shape.aggregate,
            one_a_step: shape.one_a_step,
            zone,
            phase: None,
            first: 0,
            bins: Vec::new(),
            counter: None,
        }
    }

    pub fn add(&mut self, row: &Row, report: &mut Report) -> Result<(), Error> {
        let value = match self.aggregate {
            Aggregate::Count => 1.0,
            Aggregate::Counter => self.increase(row, report),
            Aggregate::Auto | Aggregate::Sum | Aggregate::Mean => row.value,
        };
        if value.is_nan() || value < 0.0 {
            return Ok(());
        }
        let at = self.place(row)?;
        let again = self.put(at, row.time.as_millisecond(), value);
        if again {
            report.duplicates.note(row.line);
        }
        Ok(())
    }

    /// How much a counter grew; after a reset, all that it shows. The first row says nothing yet.
    fn increase(&mut self, row: &Row, report: &mut Report) -> f64 {
        if row.value.is_nan() || row.value < 0.0 {
            return f64::NAN;
        }
        match self.counter.replace(row.value) {
            None => f64::NAN,
            Some(before) if row.value < before => {
                report.counter_resets.note(row.line);
                row.value
            }
            Some(before) => row.value - before,
        }
    }

    /// Puts a value into a step; whether one of the same time was there and is replaced.
    fn put(&mut self, at: usize, time: i64, value: f64) -> bool {
        let counts = self.aggregate == Aggregate::Count || self.aggregate == Aggregate::Counter;
        let again = !counts && self.one_a_step && self.bins[at].last == time;
        // The step's only value can be replaced exactly; of several, the last one's amount is not kept.
        let bin = &mut self.bins[at];
        if again && bin.count <= 1.0 {
            *bin = EMPTY;
        } else if again {
            bin.last = time;
            return true;
        }
        bin.sum += value;
        bin.count += 1.0;
        bin.last = time;
        again
    }

    /// The index of the row's step, which is made if it is not there.
    fn place(&mut self, row: &Row) -> Result<usize, Error> {
        loop {
            let key = self.key(row.time);
            if self.bins.is_empty() {
                self.first = key;
            }
            let end = self.first + i64::try_from(self.bins.len()).unwrap_or(i64::MAX / 2);
            let beyond = (self.first - key).max(key + 1 - end).max(0);
            self.refuse_far_away(row, beyond)?;
            let more = usize::try_from(beyond).unwrap_or(usize::MAX);
            if self.bins.len().saturating_add(more) > MOST && self.coarsen() {
                continue;
            }
            if key < self.first {
                self.bins.splice(0..0, std::iter::repeat_n(EMPTY, more));
                self.first = key;
            } else if more > 0 {
                self.bins.resize(self.bins.len() + more, EMPTY);
            }
            return Ok(usize::try_from(key - self.first).unwrap_or(0));
        }
    }

    fn refuse_far_away(&self, row: &Row, beyond: i64) -> Result<(), Error> {
        let years = beyond as f64 * self.step.days() / YEAR_DAYS;
        if years > 10.0 && !self.bins.is_empty() && self.step.days() < 300.0 {
            return Err(Error::FarAway {
                file: self.file.clone(),
                line: row.line,
                time: row.time.to_string(),
                years,
            });
        }
        Ok(())
    }

    fn key(&mut self, time: Timestamp) -> i64 {
        match self.step {
            Step::Seconds(seconds) => time.as_second().div_euclid(seconds),
            Step::Days(days) => {
                let day = day_number(self.zone.to_datetime(time).date());
                let phase = *self.phase.get_or_insert(day.rem_euclid(days));
                (day - phase).div_euclid(days)
            }
            Step::Months(months) => {
                month_number(self.zone.to_datetime(time).date()).div_euclid(months)
            }
        }
    }

    /// Goes on with the next longer step that holds whole ones of these; whether there is one.
    fn coarsen(&mut self) -> bool {
        let Step::Seconds(now) = self.step else {
            return false;
        };
        let longer = LADDER.into_iter().find_map(|step| match step {
            Step::Seconds(seconds) if seconds > now && seconds % now == 0 => Some(seconds),
            _ => None,
        });
        let Some(seconds) = longer else { return false };
        let times = seconds / now;
        let first = self.first.div_euclid(times);
        let mut bins: Vec<Bin> = Vec::with_capacity(self.bins.len() / 2);
        for (at, bin) in self.bins.iter().enumerate() {
            let key = (self.first + i64::try_from(at).unwrap_or(0)).div_euclid(times);
            let at = usize::try_from(key - first).unwrap_or(0);
            bins.resize(bins.len().max(at + 1), EMPTY);
            bins[at].sum += bin.sum;
            bins[at].count += bin.count;
        }
        self.step = Step::Seconds(seconds);
        self.one_a_step = false;
        self.first = first;
        self.bins = bins;
        true
    }

    pub fn coarsened(&self) -> Option<String> {
        (self.step != self.asked).then(|| {
            let (asked, step) = (self.asked, self.step);
            format!(
                "there are more steps of {asked} than fit into memory: put into steps of {step}"
            )
        })
    }

    pub fn into_series(self) -> Series {
        let combine = match self.aggregate {
            Aggregate::Mean => Combine::Mean,
            _ => Combine::Sum,
        };
        // A step without an event had none; a step without a value is not known.
        let nothing = match self.aggregate {
            Aggregate::Count => 0.0,
            _ => f64::NAN,
        };
        let value = |bin: &Bin| match combine {
            _ if bin.count < 1.0 => nothing,
            Combine::Mean => bin.sum / bin.count,
            Combine::Sum => bin.sum,
        };
        let values = self.bins.iter().map(value).collect();
        Series::new(self.start(), self.step, self.zone.clone(), combine, values)
    }

    fn start(&self) -> Timestamp {
        let local = |date: civil::Date| {
            let start = self.zone.to_timestamp(date.at(0, 0, 0, 0));
            start.unwrap_or_default()
        };
        match self.step {
            Step::Seconds(seconds) => {
                Timestamp::from_second(self.first * seconds).unwrap_or_default()
            }
            Step::Days(days) => local(date_of_day(self.first * days + self.phase.unwrap_or(0))),
            Step::Months(months) => local(date_of_month(self.first * months)),
        }
    }
}
