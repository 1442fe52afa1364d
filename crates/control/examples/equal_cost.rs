//! A forecast as a floor under an HPA, against the best retuned HPA at equal cost, with replicas that take ten minutes to start.
//! Markdown.
//!
//!     cargo run --release -p hysio-control --example equal_cost RUNS DAYS TRACE.csv…
//!
//! Each trace is scaled so that its mean takes eight busy replicas. The HPA is retuned in RUNS replays on the first half of the last DAYS;
//! the forecast has its stated numbers and is followed along its percentile. Both are compared on the second half. On standard error: both
//! at each of the costs.

use std::{collections::BTreeMap, fs::File, io::BufReader, path::Path};

use hysio_control::replay::{
    Demand, Shows,
    equal_cost::{At, Comparison, Contender},
    tune::{Contest, Misses, Search},
    world::Settings,
};
use hysio_scaling::{
    Resource,
    capacity::size::{Objective, Service},
    forecast::policy::Kept,
    series::{Series, Step},
    trace,
};

const RESOURCE: Resource = Resource::TranscriptionWorkers;
const LIMITS: &str =
    "resources:\n  transcription_workers: {min: 1, max: 64, scale_in_after_seconds: 300}\n";
const HPA: &str = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: workers}\nspec:\n  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: transcription-workers}\n  minReplicas: 1\n  maxReplicas: 64\n  metrics:\n  - type: Resource\n    resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}\n  behavior:\n    scaleUp: {stabilizationWindowSeconds: 0}\n    scaleDown: {stabilizationWindowSeconds: 300}\n";
/// Finer steps are put together: what comes and goes within a minute is noise that nobody can follow with starts of ten minutes.
const FIVE_MINUTES: Step = Step::Seconds(300);
/// The HPA beside the forecast, with its target in per cent and its window for growing in seconds. Within its tolerance of a tenth, the
/// first never asks for more: what nobody foresaw, the forecast follows. The second does, when all are busy for a quarter of an hour, and so takes
/// over where a forecast is switched off.
const QUIET: (u32, u32) = (95, 0);
const READY: (u32, u32) = (90, 900);
const SIGNAL: &str = "active_sessions";
const STARTUP_SECONDS: f64 = 600.0;
const BUSY_REPLICAS: f64 = 8.0;
const JOB_SECONDS: f64 = 2.0;
const JOB_CV: f64 = 0.8;
const SERVICE: Service = Service::Gamma {
    mean: JOB_SECONDS,
    cv: JOB_CV,
};
const OBJECTIVE: Objective = Objective {
    share: 0.95,
    seconds: 10.0,
};

type Failure = Box<dyn std::error::Error>;
type Files = BTreeMap<String, String>;

fn main() -> Result<(), Failure> {
    let usage = "RUNS DAYS TRACE.csv…";
    let mut arguments = std::env::args().skip(1);
    let runs: usize = arguments.next().ok_or(usage)?.parse()?;
    let days: usize = arguments.next().ok_or(usage)?.parse()?;
    println!(
        "| trace | θ_U, HPA | θ_U, forecast and HPA | ratio | actions a day, HPA | actions a day, forecast and HPA | ratio |\n|---|---|---|---|---|---|---|"
    );
    for file in arguments {
        let name = Path::new(&file).file_stem().unwrap_or_default();
        let reader = BufReader::new(File::open(&file)?);
        let trace = trace::read(&file, reader, &trace::Options::default())?;
        let name = name.to_string_lossy();
        let compared = compare(&trace.series, days, runs)?;
        for (beside, comparison) in ["HPA at 95 %", "HPA at 90 %"].iter().zip(compared) {
            let name = format!("{name}, {beside}");
            match comparison {
                Some(comparison) => {
                    each_cost(&name, &comparison);
                    println!("{}", row(&name, &comparison));
                }
                None => println!("| {name} | no cost in common | | | | | |"),
            }
        }
    }
    Ok(())
}

fn row(name: &str, it: &Comparison) -> String {
    let mean =
        |of: fn(&(At, At)) -> f64| it.at.iter().map(of).sum::<f64>() / it.at.len().max(1) as f64;
    format!(
        "| {name} | {:.2} % | {:.2} % | {:.2} | {:.1} | {:.1} | {:.2} |",
        mean(|it| it.0.under),
        mean(|it| it.1.under),
        it.under_ratio,
        mean(|it| it.0.actions_a_day),
        mean(|it| it.1.actions_a_day),
        it.actions_ratio
    )
}

fn each_cost(name: &str, comparison: &Comparison) {
    for (theirs, ours) in &comparison.at {
        eprintln!(
            "{name} at {:.2}: θ_U {:.2} and {:.2} %, actions a day {:.1} and {:.1}",
            theirs.cost, theirs.under, ours.under, theirs.actions_a_day, ours.actions_a_day
        );
    }
}

fn compare(series: &Series, days: usize, runs: usize) -> Result<[Option<Comparison>; 2], Failure> {
    let series = if series.step().days() < FIVE_MINUTES.days() {
        series.in_steps_of(FIVE_MINUTES)
    } else {
        series.clone()
    };
    let length = (days * series.step().count_in(1.0)).min(series.len() * 2 / 3);
    let begin = series.len() - length;
    let middle = begin + length / 2;
    let signals = BTreeMap::from([(SIGNAL.to_owned(), Shows::Trace)]);
    let days = [begin..middle, middle..series.len()].map(|range| Days::of(&series, range));
    let [learnt, held_out] = days;
    let (learnt, held_out) = (learnt?, held_out?);
    let (learnt, held_out) = (learnt.contest(&signals), held_out.contest(&signals));
    let search = Search {
        seed: 1,
        runs,
        misses: Misses::UnderProvisioning,
    };
    let curve =
        |files: &Files| Contender::new(files, RESOURCE).curve(&search, &learnt, &held_out, &|| {});
    let reference = curve(&hpa())?;
    let [quiet, ready] = [QUIET, READY].map(|hpa| curve(&forecast_and(hpa, &series)));
    Ok([quiet?, ready?].map(|policy| Comparison::of(&reference, &policy)))
}

fn hpa() -> Files {
    [("limits.yaml", LIMITS), ("hpa.yaml", HPA)]
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .into()
}

/// The forecast decides when to shrink: it has its slack for that.
fn forecast_and((target, window): (u32, u32), series: &Series) -> Files {
    let per_instance = mean(series) / BUSY_REPLICAS;
    let step = series.step().days() * 86_400.0;
    let lead = STARTUP_SECONDS.max(step);
    let within = OBJECTIVE.seconds;
    let forecast = format!(
        "forecast:\n  policies:\n  - {{name: demand, resource: transcription_workers, signal: {SIGNAL}, per_instance: {per_instance:.3}, jobs: {{seconds: {JOB_SECONDS}, cv: {JOB_CV}, within_seconds: {within}}}, lead_seconds: {lead}, step_seconds: {step}, percentile: 95, most: 64}}\n"
    );
    let mut files = hpa();
    for text in files.values_mut() {
        *text = text
            .replace(
                "averageUtilization: 70",
                &format!("averageUtilization: {target}"),
            )
            .replace(
                "scaleUp: {stabilizationWindowSeconds: 0}",
                &format!("scaleUp: {{stabilizationWindowSeconds: {window}}}"),
            )
            .replace("scale_in_after_seconds: 300", "scale_in_after_seconds: 0");
    }
    files.insert("forecast.yaml".to_owned(), forecast);
    files
}

fn mean(series: &Series) -> f64 {
    let known = series.values().iter().filter(|it| !it.is_nan());
    known.sum::<f64>() / series.known() as f64
}

/// Some days of a trace, with what was before them.
struct Days {
    demand: Demand,
    needed: Vec<u32>,
    before: BTreeMap<String, Series>,
}

impl Days {
    fn of(series: &Series, range: std::ops::Range<usize>) -> Result<Self, Failure> {
        let factor = BUSY_REPLICAS / SERVICE.mean() / mean(series);
        let mut last = 0.0;
        let values: Vec<f64> = series.values()[range.clone()]
            .iter()
            .map(|value| {
                last = if value.is_nan() { last } else { *value };
                last
            })
            .collect();
        let demand = Demand {
            start: series.time(range.start),
            step_seconds: series.step().days() * 86_400.0,
            rates: values.iter().map(|value| value * factor).collect(),
            values,
        };
        Ok(Self {
            needed: demand.needed(&SERVICE, OBJECTIVE)?,
            demand,
            before: BTreeMap::from([(SIGNAL.to_owned(), series.part(0..range.start))]),
        })
    }

    fn contest<'a>(&'a self, signals: &'a BTreeMap<String, Shows>) -> Contest<'a> {
        Contest {
            demand: &self.demand,
            needed: &self.needed,
            settings: Settings {
                seed: 1,
                service: SERVICE,
                objective_seconds: OBJECTIVE.seconds,
                replicas_at_start: self.needed[0].max(1),
                startup_seconds: STARTUP_SECONDS,
                drain_seconds: 30.0,
                failures_a_day: 0.0,
                quota: 64,
                chaos: Vec::new(),
            },
            resource: RESOURCE,
            signals,
            before: &self.before,
            forecasts: Kept::default(),
        }
    }
}
