//! What kind of rows these are: values at a step, samples of a level, or events.

use super::{Aggregate, Error, Options, bins::Row};
use crate::series::{DAY, HOUR, MINUTE, Step};

/// Words in a column's name that say that it holds a level, not an amount.
const LEVELS: [&str; 16] = [
    "session",
    "usage",
    "util",
    "percent",
    "pct",
    "ratio",
    "depth",
    "length",
    "connection",
    "memory",
    "cpu",
    "load",
    "gauge",
    "latency",
    "active",
    "users",
];

/// Steps that people use.
pub const LADDER: [Step; 13] = [
    Step::Seconds(1),
    Step::Seconds(5),
    Step::Seconds(15),
    Step::Seconds(30),
    MINUTE,
    Step::Seconds(300),
    Step::Seconds(600),
    Step::Seconds(900),
    Step::Seconds(1800),
    HOUR,
    Step::Seconds(6 * 3600),
    DAY,
    Step::Days(7),
];

#[derive(Clone, Debug)]
pub struct Shape {
    pub step: Step,
    /// Never `Auto`.
    pub aggregate: Aggregate,
    /// Each time has one value, so that a second one replaces it.
    pub one_a_step: bool,
    pub note: Option<String>,
}

impl Shape {
    pub fn detect(
        file: &str,
        rows: &[Row],
        options: &Options,
        column: &str,
    ) -> Result<Self, Error> {
        let mut times: Vec<i64> = rows.iter().map(|row| row.time.as_millisecond()).collect();
        times.sort_unstable();
        let gaps: Vec<i64> = times
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .filter(|gap| *gap > 0)
            .collect();
        if gaps.is_empty() {
            return Err(Error::TooShort {
                file: file.to_owned(),
            });
        }
        let level = LEVELS
            .iter()
            .any(|word| column.to_lowercase().contains(word));
        let found = found(gaps, level, column.is_empty(), &times);
        let aggregate = match options.aggregate {
            Aggregate::Auto => found.aggregate,
            chosen => chosen,
        };
        let step = options.step.map_or(found.step, Step::normal);
        Ok(Self {
            step,
            aggregate,
            one_a_step: found.one_a_step && aggregate != Aggregate::Count,
            note: found.note.filter(|_| options.aggregate == Aggregate::Auto),
        })
    }
}

fn found(mut gaps: Vec<i64>, level: bool, no_values: bool, times: &[i64]) -> Shape {
    gaps.sort_unstable();
    let usual = mode(&gaps);
    let near = |gap: i64, step: i64| (gap - step).abs() <= (step / 20).min(3_600_000);
    let regular = gaps.iter().filter(|gap| near(**gap, usual)).count() * 5 >= gaps.len() * 3
        && times.len() <= (gaps.len() + 1) * 2;
    let aggregate = if level {
        Aggregate::Mean
    } else {
        Aggregate::Sum
    };
    if let Some(step) = calendar(&gaps, usual).filter(|_| !no_values) {
        return Shape {
            step,
            aggregate,
            one_a_step: true,
            note: None,
        };
    }
    if regular && !no_values {
        let step = Step::Seconds(((usual + 500) / 1000).max(1)).normal();
        return Shape {
            step,
            aggregate,
            one_a_step: true,
            note: None,
        };
    }
    let span = (times[times.len() - 1] - times[0]) / 1000;
    let middle = gaps[gaps.len() / 2];
    let spread = gaps[gaps.len() * 9 / 10] - gaps[gaps.len() / 10];
    if !no_values && spread < middle {
        let step = ladder(middle / 1000);
        let note = format!(
            "rows come about every {} s: taken as samples of a level, averaged over {step}",
            middle / 1000
        );
        return Shape {
            step,
            aggregate: Aggregate::Mean,
            one_a_step: false,
            note: Some(note),
        };
    }
    // Steps that hold several events each, and so many steps that a day shows its shape.
    let step = ladder((span * 5 / times.len().max(1) as i64).clamp(1, 3600));
    let note = format!(
        "rows come at no fixed step: taken as one event each, counted over {step} (--aggregate and --step say otherwise)"
    );
    Shape {
        step,
        aggregate: Aggregate::Count,
        one_a_step: false,
        note: Some(note),
    }
}

/// Days, weeks, months, quarters and years, whose lengths differ by an hour or some days.
fn calendar(gaps: &[i64], usual: i64) -> Option<Step> {
    const DAY_MS: i64 = 86_400_000;
    let share = |low: i64, high: i64| {
        let within = gaps
            .iter()
            .filter(|gap| (low * DAY_MS..=high * DAY_MS).contains(gap))
            .count();
        within * 5 >= gaps.len() * 4
    };
    let days = (usual + DAY_MS / 2) / DAY_MS;
    match days {
        28..=31 if share(28, 31) => Some(Step::Months(1)),
        90..=92 if share(89, 93) => Some(Step::Months(3)),
        365..=366 if share(364, 367) => Some(Step::Months(12)),
        1.. if (usual - days * DAY_MS).abs() <= 3_600_000 => Some(Step::Days(days)),
        _ => None,
    }
}

/// The most frequent of sorted gaps, at a resolution of a second; of equally frequent ones the shortest.
fn mode(sorted: &[i64]) -> i64 {
    let mut best = (0, sorted[0]);
    let mut run = 0;
    for (at, gap) in sorted.iter().enumerate() {
        let same = at > 0 && gap / 1000 == sorted[at - 1] / 1000;
        run = if same { run + 1 } else { 1 };
        if run > best.0 {
            best = (run, *gap);
        }
    }
    best.1
}

/// The first step of the ladder that is not shorter.
fn ladder(seconds: i64) -> Step {
    let days = Step::Seconds(seconds.max(1)).days();
    LADDER
        .into_iter()
        .find(|step| step.days() >= days)
        .unwrap_or(DAY)
}
