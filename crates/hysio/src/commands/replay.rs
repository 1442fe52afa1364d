//! A trace replayed against folders of policies: what `hysio simulate` and `hysio evaluate policies` have in common.

pub mod files;
mod table;

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::Context as _;
use clap::Args;
use hysio_control::replay::{
    Decider, Demand, Run, Shows,
    faults::Fault,
    run,
    score::{Score, speedup_at_equal_cost},
    tune::Contest,
    world::{Settings, TICK_SECONDS, Totals},
};
use hysio_scaling::{
    Resource,
    capacity::size::Objective,
    forecast::policy::Kept,
    policies::Policies,
    series::{Combine, Series, Step},
};
use serde::Serialize;

pub use self::table::{SCORES, scores};
use super::{
    capacity::size::{ServiceArguments, seconds},
    trace::{Source, bar, say_notes},
};

#[derive(Debug, Args)]
pub struct ReplayArguments {
    #[command(flatten)]
    pub source: Source,
    /// Folders with policies, each replayed by itself.
    #[arg(long, required = true, num_args = 1.., value_name = "DIR")]
    pub policies: Vec<PathBuf>,
    /// What is scaled.
    #[arg(long, default_value = "transcription_workers")]
    pub resource: Resource,
    /// Jobs a second for each unit of the trace; for arrivals, what the trace says.
    #[arg(long, value_name = "RATE")]
    jobs_per_unit: Option<f64>,
    #[command(flatten)]
    service: ServiceArguments,
    /// A percentile of the time from arriving to done.
    #[arg(long, default_value = "p95<5s")]
    pub objective: Objective,
    /// From asking for a replica to its being ready.
    #[arg(long, default_value = "60s", value_parser = seconds)]
    startup: f64,
    /// How long a replica that goes still finishes what it has.
    #[arg(long, default_value = "30s", value_parser = seconds)]
    drain: f64,
    /// Failures of one replica in a day.
    #[arg(long, default_value_t = 0.0)]
    failures_a_day: f64,
    /// What goes wrong: metric-outage, slow-starts, quota-hit, lost-zone, pandemic, or all. Each may say when, how long and how bad:
    /// pandemic@2d+12h=3.
    #[arg(long, alias = "chaos", num_args = 1.., value_name = "FAULT", value_parser = faults)]
    faults: Vec<Faults>,
    /// The last so much of the trace; what is before it is what forecasts learn from.
    #[arg(long, default_value = "1w")]
    last: Step,
    /// The same seed gives the same run.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// One JSON object with everything.
    #[arg(long)]
    pub json: bool,
}

/// One fault, or all of them.
#[derive(Clone, Debug)]
struct Faults(Vec<Fault>);

fn faults(text: &str) -> Result<Faults, String> {
    match text {
        "all" => Ok(Faults(Fault::all())),
        one => Ok(Faults(vec![one.parse()?])),
    }
}

/// The days that are replayed, with all that is the same for every set of policies.
pub struct Stage {
    pub series: Series,
    pub demand: Demand,
    pub needed: Vec<u32>,
    pub settings: Settings,
    pub resource: Resource,
    pub signals: BTreeMap<String, Shows>,
    pub before: BTreeMap<String, Series>,
    /// The same for all sets that forecast alike.
    forecasts: Kept,
}

/// How one set of policies did.
#[derive(Debug, Serialize)]
pub struct Row {
    pub policies: String,
    pub totals: Totals,
    pub score: Score,
    /// Over a number that never changes and costs the same.
    pub elastic_speedup: f64,
    #[serde(skip)]
    pub run: Run,
}

impl Row {
    pub fn of(policies: String, run: Run) -> Self {
        Self {
            policies,
            totals: run.totals,
            score: run.score,
            elastic_speedup: speedup_at_equal_cost(&run.score.elasticity, &run.course, &run.totals),
            run,
        }
    }
}

impl ReplayArguments {
    pub fn stage(&self) -> anyhow::Result<Stage> {
        let trace = self.source.load()?;
        if !self.json {
            say_notes(&trace);
        }
        let series = trace.series;
        let length = series.step().count_in(self.last.days()).min(series.len());
        let begin = series.len() - length;
        let demand = self.demand(&series.part(begin..series.len()))?;
        let service = self.service.service()?;
        let first = demand.needed(&service, self.objective)?;
        let at_start = first.first().copied().unwrap_or(1).max(1);
        let faults: Vec<Fault> = self.faults.iter().flat_map(|it| it.0.clone()).collect();
        let chaos = Fault::chaos(&faults, demand.ticks(), at_start);
        let demand = demand.under(&chaos);
        let needed = demand.needed(&service, self.objective)?;
        let before = if begin > 0 {
            BTreeMap::from([(TRACE_SIGNAL.to_owned(), series.part(0..begin))])
        } else {
            BTreeMap::new()
        };
        Ok(Stage {
            series: series.tail(length),
            needed,
            demand,
            settings: Settings {
                seed: self.seed,
                service,
                objective_seconds: self.objective.seconds,
                replicas_at_start: at_start,
                startup_seconds: self.startup,
                drain_seconds: self.drain,
                failures_a_day: self.failures_a_day,
                quota: u32::MAX,
                chaos,
            },
            resource: self.resource,
            signals: signals(),
            before,
            forecasts: Kept::default(),
        })
    }

    fn demand(&self, series: &Series) -> anyhow::Result<Demand> {
        let step_seconds = series.step().days() * 86_400.0;
        anyhow::ensure!(
            step_seconds >= TICK_SECONDS,
            "steps of {} are shorter than a tick of {TICK_SECONDS} s: use --step 1m",
            series.step()
        );
        let factor = match (self.jobs_per_unit, series.combine()) {
            (Some(factor), _) => factor,
            (None, Combine::Sum) => 1.0 / step_seconds,
            (None, Combine::Mean) => anyhow::bail!(
                "the trace is a level, not arrivals: say with --jobs-per-unit how many jobs a second each unit makes"
            ),
        };
        // A step that is not known is taken as the one before.
        let mut last = 0.0;
        let values: Vec<f64> = series
            .values()
            .iter()
            .map(|value| {
                last = if value.is_nan() { last } else { *value };
                last
            })
            .collect();
        Ok(Demand {
            start: series.time(0),
            step_seconds,
            rates: values.iter().map(|value| value * factor).collect(),
            values,
        })
    }
}

impl Stage {
    pub fn replay(&self, name: &str, files: &BTreeMap<String, String>) -> anyhow::Result<Row> {
        let mut policies = Policies::read(files).with_context(|| name.to_owned())?;
        policies.keep_forecasts(&self.forecasts);
        let history = policies.remembering(&self.before);
        let decider = Decider::Policies {
            policies: &policies,
            resource: self.resource,
            signals: &self.signals,
            history: &history,
        };
        let progress = bar(u64::from(self.demand.ticks()), name);
        let run = run(
            &self.demand,
            &self.needed,
            self.settings.clone(),
            &decider,
            |_| progress.inc(1),
        );
        progress.finish_and_clear();
        Ok(Row::of(name.to_owned(), run))
    }

    /// A number that never changes.
    pub fn fixed(&self, count: u32) -> Row {
        let settings = Settings {
            replicas_at_start: count,
            ..self.settings.clone()
        };
        let decider = Decider::Fixed(count);
        let run = run(&self.demand, &self.needed, settings, &decider, |_| {});
        Row::of(format!("always {count}"), run)
    }

    pub fn peak(&self) -> u32 {
        self.needed.iter().copied().max().unwrap_or(1)
    }

    /// The first days, to learn from, and the later ones, which are held out.
    pub fn split(&self, held_out: f64) -> anyhow::Result<[Self; 2]> {
        let steps = self.demand.rates.len();
        let a_day = (86_400.0 / self.demand.step_seconds).round() as usize;
        let learnt = ((steps as f64 * (1.0 - held_out)) as usize / a_day.max(1)) * a_day;
        anyhow::ensure!(
            learnt >= a_day && steps - learnt >= a_day,
            "{} are too few to learn from some days and hold out others: replay more with --last",
            days(steps as f64 / a_day as f64)
        );
        let part = |range: std::ops::Range<usize>| {
            let needed = self.needed[range.clone()].to_vec();
            let earlier = self
                .before
                .get(TRACE_SIGNAL)
                .map_or(&[][..], Series::values);
            let known = [earlier, &self.demand.values[..range.start]].concat();
            let mut before = BTreeMap::new();
            if !known.is_empty() {
                let first = self.before.get(TRACE_SIGNAL).unwrap_or(&self.series);
                let longer = Series::new(
                    first.time(0),
                    first.step(),
                    first.zone().clone(),
                    first.combine(),
                    known,
                );
                before.insert(TRACE_SIGNAL.to_owned(), longer);
            }
            Self {
                series: self.series.part(range.clone()),
                settings: Settings {
                    replicas_at_start: needed.first().copied().unwrap_or(1).max(1),
                    ..self.settings.clone()
                },
                demand: self.demand.part(range),
                needed,
                resource: self.resource,
                signals: self.signals.clone(),
                before,
                forecasts: self.forecasts.clone(),
            }
        };
        Ok([part(0..learnt), part(learnt..steps)])
    }

    pub fn contest(&self) -> Contest<'_> {
        Contest {
            demand: &self.demand,
            needed: &self.needed,
            settings: self.settings.clone(),
            resource: self.resource,
            signals: &self.signals,
            before: &self.before,
            forecasts: self.forecasts.clone(),
        }
    }

    /// Days that are replayed.
    pub fn days(&self) -> String {
        days(self.demand.rates.len() as f64 * self.demand.step_seconds / 86_400.0)
    }
}

fn days(days: f64) -> String {
    format!("{days:.1} days")
}

/// What the trace shows is what policies see under this name.
const TRACE_SIGNAL: &str = "active_sessions";

/// What policies may look at.
fn signals() -> BTreeMap<String, Shows> {
    [
        ("transcription_queue", Shows::Queue),
        ("diagnosecode_queue", Shows::Queue),
        ("queue_length", Shows::Queue),
        (TRACE_SIGNAL, Shows::Trace),
        ("cpu_usage", Shows::Busy),
        ("memory_usage", Shows::Nothing),
    ]
    .map(|(name, shows)| (name.to_owned(), shows))
    .into()
}
