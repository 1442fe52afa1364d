//! A trace of demand from a file, as the planner's commands take it.

mod prometheus;
mod synthetic;

use std::{
    fs::File,
    io::{self, BufRead, BufReader, IsTerminal as _},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use hysio_scaling::{
    forecast::Holidays,
    series::{HOUR, Step},
    trace::{self, Aggregate, Trace},
};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::tz::TimeZone;

use crate::{
    measured,
    start::{self, ConfigArgument},
};

#[derive(Clone, Debug, Default, Args)]
pub struct TraceArguments {
    /// The column with values, by name; without it the second.
    #[arg(long)]
    column: Option<String>,
    /// The column with times, by name; without it the first.
    #[arg(long)]
    time_column: Option<String>,
    /// How values that fall into one step become one; found from the rows if not given.
    #[arg(long, value_enum)]
    aggregate: Option<How>,
    /// The step to put rows into, such as 15m or 1h; that of the rows if not given.
    #[arg(long)]
    step: Option<Step>,
    /// The time zone in which people live, such as Europe/Amsterdam: days and hours are theirs, and times without a zone too.
    #[arg(long, value_name = "ZONE", value_parser = time_zone)]
    tz: Option<TimeZone>,
    /// Whose public holidays to look at: nl, us or none.
    #[arg(long, default_value = "none")]
    pub holidays: Holidays,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum How {
    /// Amounts, such as arrivals.
    Sum,
    /// Levels, such as active sessions.
    Mean,
    /// Each row is one event.
    Count,
    /// A counter that only grows and starts again at a restart.
    Counter,
}

impl TraceArguments {
    /// Reads a file, or standard input when it is `-`, with a bar on a terminal.
    pub fn read(&self, file: &Path) -> anyhow::Result<Trace> {
        let name = file.display().to_string();
        if file == Path::new("-") {
            return self.parse("standard input", io::stdin().lock());
        }
        let opened = File::open(file).with_context(|| format!("open {name}"))?;
        let bar = bytes_bar(opened.metadata().map(|it| it.len()).unwrap_or(0));
        let trace = self.parse(
            &name,
            BufReader::with_capacity(1 << 18, bar.wrap_read(opened)),
        );
        bar.finish_and_clear();
        trace
    }

    fn parse(&self, name: &str, input: impl BufRead) -> anyhow::Result<Trace> {
        let options = trace::Options {
            time_column: self.time_column.clone(),
            value_column: self.column.clone(),
            aggregate: self.aggregate.map_or(Aggregate::Auto, |how| match how {
                How::Sum => Aggregate::Sum,
                How::Mean => Aggregate::Mean,
                How::Count => Aggregate::Count,
                How::Counter => Aggregate::Counter,
            }),
            step: self.step,
            zone: self.tz.clone(),
        };
        Ok(trace::read(name, input, &options)?)
    }
}

/// Says on standard error what was noticed while reading.
pub fn say_notes(trace: &Trace) {
    for note in &trace.report.notes {
        eprintln!("note: {note}");
    }
}

/// A bar on a terminal, nothing elsewhere.
pub fn bar(length: u64, what: &str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}, {eta} left");
    let bar = ProgressBar::new(length);
    bar.set_style(style.expect("the template is well-formed"));
    bar.set_message(what.to_owned());
    bar
}

/// A sign of life on a terminal, nothing elsewhere.
pub fn spinner(what: &'static str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner().with_message(what);
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

fn bytes_bar(length: u64) -> ProgressBar {
    let bar = bar(length, "reading");
    let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes}, {eta} left");
    bar.set_style(style.expect("the template is well-formed"));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn time_zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|error| format!("{error}: use a name such as Europe/Amsterdam"))
}

/// Where demand comes from: a file, a Prometheus server, what Hysio itself measured, or days that never were.
#[derive(Clone, Debug, Args)]
pub struct Source {
    /// A CSV file with a time and a value in each row; `-` is standard input.
    #[arg(
        required_unless_present_any = ["prometheus", "history", "synthetic"],
        conflicts_with_all = ["prometheus", "history", "synthetic"]
    )]
    file: Option<PathBuf>,
    /// Ask this Prometheus server instead of reading a file.
    #[arg(long, value_name = "URL", requires = "query", conflicts_with_all = ["history", "synthetic"])]
    prometheus: Option<String>,
    /// What to ask it, as one series: sum(hysio_active_healthcare_sessions).
    #[arg(long, value_name = "PROMQL", requires = "prometheus")]
    query: Option<String>,
    /// Take what Hysio's own scaler measured, such as active_sessions or transcription_queue.
    #[arg(long, value_name = "SERIES", conflicts_with = "synthetic")]
    history: Option<String>,
    /// Take four weeks of a hospital that does not exist.
    #[arg(long)]
    synthetic: bool,
    /// How far back to ask the server or the history.
    #[arg(long, default_value = "8w", value_name = "TIME")]
    since: Step,
    #[command(flatten)]
    config: ConfigArgument,
    #[command(flatten)]
    pub arguments: TraceArguments,
}

impl Source {
    pub fn load(&self) -> anyhow::Result<Trace> {
        if let Some(file) = &self.file {
            return self.arguments.read(file);
        }
        let step = self.arguments.step.unwrap_or(HOUR);
        let zone = self.arguments.tz.clone().unwrap_or(TimeZone::UTC);
        if self.synthetic {
            return Ok(synthetic::trace(zone));
        }
        if let Some(series) = &self.history {
            let config = self.config.load()?;
            let asked = measured::Asked {
                series,
                since: self.since,
                step,
                zone,
            };
            return super::block_on(async {
                measured::load(&start::connect(&config).await?, asked).await
            });
        }
        let asked = prometheus::Asked {
            url: self.prometheus.as_deref().unwrap_or_default(),
            query: self.query.as_deref().unwrap_or_default(),
            since: self.since,
            step,
            zone,
        };
        super::block_on(prometheus::load(asked))
    }

    /// What it is called in reports.
    pub fn name(&self) -> String {
        match &self.file {
            Some(file) => file.display().to_string(),
            None if self.synthetic => "synthetic days".to_owned(),
            None => self
                .history
                .clone()
                .or_else(|| self.query.clone())
                .unwrap_or_default(),
        }
    }
}
