//! `hysio simulate`: a trace of demand replayed against a folder of policies, through the same decisions that run in production.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use comfy_table::{CellAlignment, Table, presets};
use hysio_control::replay::{
    Decider, Demand, Run, Shows, run,
    world::{Chaos, Kind, Settings, TICK_SECONDS},
};
use hysio_scaling::{
    Resource,
    capacity::size::{Objective, Service},
    elasticity::speedup,
    policies::Policies,
    series::{Combine, Series, Step},
};
use serde::Serialize;

use super::{
    capacity::size::{ServiceArguments, seconds},
    trace::{TraceArguments, bar, say_notes},
};

#[derive(Debug, Args)]
pub struct Command {
    /// A CSV file with a time and a value in each row; `-` is standard input.
    trace: PathBuf,
    /// Folders with policies, each replayed by itself.
    #[arg(long, required = true, num_args = 1.., value_name = "DIR")]
    policies: Vec<PathBuf>,
    /// What is scaled.
    #[arg(long, default_value = "transcription_workers")]
    resource: Resource,
    /// Jobs a second for each unit of the trace; for arrivals, what the trace says.
    #[arg(long, value_name = "RATE")]
    jobs_per_unit: Option<f64>,
    #[command(flatten)]
    service: ServiceArguments,
    /// A percentile of the time from arriving to done.
    #[arg(long, default_value = "p95<5s")]
    objective: Objective,
    /// From asking for a replica to its being ready.
    #[arg(long, default_value = "60s", value_parser = seconds)]
    startup: f64,
    /// Failures of one replica in a day.
    #[arg(long, default_value_t = 0.0)]
    failures_a_day: f64,
    /// Trouble from the middle of the run on.
    #[arg(long, value_enum, num_args = 1..)]
    chaos: Vec<Trouble>,
    /// The last so much of the trace.
    #[arg(long, default_value = "1w")]
    last: Step,
    /// The same seed gives the same run.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// One JSON object with everything.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    arguments: TraceArguments,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Trouble {
    /// Half an hour without metrics.
    MetricOutage,
    /// Starts take five times as long, for six hours.
    SlowStarts,
    /// No more than the count at the start, for an hour.
    QuotaHit,
    /// A third of the replicas is gone at once.
    LostZone,
    /// Three times the demand to the end.
    Pandemic,
}

#[derive(Debug, Serialize)]
struct Row {
    policies: String,
    #[serde(flatten)]
    run: Run,
    late_share: f64,
    /// Against a fixed number at the same cost.
    elastic_speedup: Option<f64>,
}

impl Command {
    pub fn run(self) -> anyhow::Result<()> {
        let trace = self.arguments.read(&self.trace)?;
        if !self.json {
            say_notes(&trace);
        }
        let series = trace
            .series
            .tail(trace.series.step().count_in(self.last.days()));
        let demand = self.demand(&series)?;
        let service = self.service.service()?;
        let needed = demand.needed(&service, self.objective)?;
        let first = needed.first().copied().unwrap_or(1).max(1);
        let settings = self.settings(service, first, needed.len(), demand.step_seconds);
        let mut rows = Vec::new();
        for folder in &self.policies {
            rows.extend(self.replay(folder, &demand, &needed, &settings)?);
        }
        let peak = needed.iter().copied().max().unwrap_or(1);
        rows.push(self.fixed(
            "fixed at the peak's need",
            peak,
            &demand,
            &needed,
            &settings,
        ));
        if self.json {
            println!("{}", serde_json::to_string_pretty(&rows)?);
        } else {
            print!("{}", table(&rows));
        }
        Ok(())
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

    fn settings(&self, service: Service, first: u32, steps: usize, step_seconds: f64) -> Settings {
        let middle = (steps as f64 * step_seconds / TICK_SECONDS / 2.0) as u32;
        let minutes = |minutes: u32| minutes * 60 / TICK_SECONDS as u32;
        let chaos = self.chaos.iter().map(|trouble| {
            let (ticks, kind) = match trouble {
                Trouble::MetricOutage => (minutes(30), Kind::MetricOutage),
                Trouble::SlowStarts => (minutes(360), Kind::SlowStarts(5.0)),
                Trouble::QuotaHit => (minutes(60), Kind::QuotaHit(first)),
                Trouble::LostZone => (1, Kind::LostZone(1.0 / 3.0)),
                Trouble::Pandemic => (u32::MAX, Kind::Surge(3.0)),
            };
            Chaos {
                from: middle,
                ticks,
                kind,
            }
        });
        Settings {
            seed: self.seed,
            service,
            objective_seconds: self.objective.seconds,
            replicas_at_start: first,
            startup_seconds: self.startup,
            drain_seconds: 30.0,
            failures_a_day: self.failures_a_day,
            quota: u32::MAX,
            chaos: chaos.collect(),
        }
    }

    /// The policies' run, and that of a fixed number that costs the same.
    fn replay(
        &self,
        folder: &PathBuf,
        demand: &Demand,
        needed: &[u32],
        settings: &Settings,
    ) -> anyhow::Result<[Row; 2]> {
        let name = folder.display().to_string();
        let policies = read(folder)?;
        let signals = signals();
        let decider = Decider::Policies {
            policies: &policies,
            resource: self.resource,
            signals: &signals,
        };
        let ticks = demand.rates.len() as f64 * demand.step_seconds / TICK_SECONDS;
        let progress = bar(ticks as u64, &name);
        let followed = run(demand, needed, settings.clone(), &decider, |_| {
            progress.inc(1);
        });
        progress.finish_and_clear();
        let hours = f64::from(followed.totals.ticks) * TICK_SECONDS / 3600.0;
        let same = (followed.totals.replica_hours / hours.max(f64::MIN_POSITIVE))
            .round()
            .max(1.0) as u32;
        let fixed = self.fixed(
            &format!("fixed, at the cost of {name}"),
            same,
            demand,
            needed,
            settings,
        );
        let speedup = speedup(&fixed.run.elasticity, &followed.elasticity);
        Ok([row(name, followed, Some(speedup)), fixed])
    }

    fn fixed(
        &self,
        name: &str,
        count: u32,
        demand: &Demand,
        needed: &[u32],
        settings: &Settings,
    ) -> Row {
        let settings = Settings {
            replicas_at_start: count,
            ..settings.clone()
        };
        let run = run(demand, needed, settings, &Decider::Fixed(count), |_| {});
        row(format!("{name}: {count}"), run, None)
    }
}

fn row(policies: String, run: Run, elastic_speedup: Option<f64>) -> Row {
    Row {
        policies,
        late_share: run.totals.late_share(),
        run,
        elastic_speedup,
    }
}

fn read(folder: &PathBuf) -> anyhow::Result<Policies> {
    let name = folder.display();
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("read {name}"))? {
        let path = entry?.path();
        let wanted = path
            .extension()
            .is_some_and(|it| it == "yaml" || it == "yml" || it == "json");
        if let Some(file) = path.file_name().filter(|_| wanted) {
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("read {}", path.display()))?;
            files.insert(file.to_string_lossy().into_owned(), text);
        }
    }
    Policies::read(&files).with_context(|| format!("{name}"))
}

/// What policies may look at.
fn signals() -> BTreeMap<String, Shows> {
    [
        ("transcription_queue", Shows::Queue),
        ("diagnosecode_queue", Shows::Queue),
        ("queue_length", Shows::Queue),
        ("active_sessions", Shows::Trace),
        ("cpu_usage", Shows::Busy),
        ("memory_usage", Shows::Nothing),
    ]
    .map(|(name, shows)| (name.to_owned(), shows))
    .into()
}

fn table(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header([
        "policies",
        "late jobs",
        "longest wait",
        "replica hours",
        "changes",
        "θ_U %",
        "τ_U %",
        "θ_O %",
        "τ_O %",
        "υ %",
        "jitter/h",
        "speed-up",
    ]);
    for it in rows {
        let (totals, elasticity) = (&it.run.totals, &it.run.elasticity);
        table.add_row([
            it.policies.clone(),
            format!("{:.2} %", 100.0 * it.late_share),
            format!("{:.0} s", totals.longest_wait_seconds),
            format!("{:.0}", totals.replica_hours),
            totals.changes.to_string(),
            format!("{:.1}", elasticity.under_accuracy),
            format!("{:.1}", elasticity.under_time),
            format!("{:.1}", elasticity.over_accuracy),
            format!("{:.1}", elasticity.over_time),
            format!("{:.1}", elasticity.instability),
            format!("{:+.1}", elasticity.jitter),
            it.elastic_speedup
                .map_or_else(String::new, |it| format!("{it:.2}")),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("{table}\n")
}
