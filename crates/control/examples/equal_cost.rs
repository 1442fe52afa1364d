//! A forecast as a floor under an HPA, against the best retuned HPA at equal cost, with replicas that take ten minutes to start.
//! Both are tuned on the same days and compared on the days after them. Markdown.
//!
//!     cargo run --release -p hysio-control --example equal_cost RUNS DAYS TRACE.csv…
//!
//! Each trace is scaled so that its mean takes eight busy replicas. The first half of the last DAYS is to learn from, the second is held
//! out. The search with a forecast begins with the HPA's best settings, over a forecast that asks for next to nothing, and with the
//! forecast at each percentile, over an HPA that only reacts when replicas are full: they are among its runs. On standard error: both at
//! each of the costs.

use std::{collections::BTreeMap, fs::File, io::BufReader, path::Path};

use hysio_control::replay::{
    Demand, Shows,
    equal_cost::{At, Comparison, Curve, chosen},
    tune::{Contest, Misses, Point, Search, front, starts},
    world::Settings,
};
use hysio_scaling::{
    Resource,
    capacity::size::{Objective, Service},
    forecast::policy::Kept,
    policies::knobs::{find, turned},
    series::{Series, Step},
    trace,
};

const RESOURCE: Resource = Resource::TranscriptionWorkers;
const LIMITS: &str =
    "resources:\n  transcription_workers: {min: 1, max: 64, scale_in_after_seconds: 300}\n";
const HPA: &str = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: workers}\nspec:\n  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: transcription-workers}\n  minReplicas: 1\n  maxReplicas: 64\n  metrics:\n  - type: Resource\n    resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}\n  behavior:\n    scaleUp: {stabilizationWindowSeconds: 0}\n    scaleDown: {stabilizationWindowSeconds: 300}\n";
/// Finer steps are put together: what comes and goes within a minute is noise that nobody can follow with starts of ten minutes.
const FIVE_MINUTES: Step = Step::Seconds(300);
const SIGNAL: &str = "active_sessions";
const STARTUP_SECONDS: f64 = 600.0;
const BUSY_REPLICAS: f64 = 8.0;
const SERVICE: Service = Service::Gamma { mean: 2.0, cv: 0.8 };
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
        match compare(&trace.series, days, runs)? {
            Some(comparison) => {
                each_cost(&name, &comparison);
                println!("{}", row(&name, &comparison));
            }
            None => println!("| {name} | no cost in common | | | | | |"),
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

fn compare(series: &Series, days: usize, runs: usize) -> Result<Option<Comparison>, Failure> {
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
    let (hpa, ours) = sets(&series);
    let [knobs, more] = [&hpa, &ours].map(|files| find(files, RESOURCE));
    let theirs = search.points(&hpa, &knobs, &learnt, &|| {})?;
    let best = front(&theirs, search.misses);
    let starts = starts(&best, &knobs, &more);
    let mine = search.points_from(&ours, &more, &starts, &learnt, &|| {})?;
    let mine: Vec<&Point> = mine.iter().collect();
    let followed = chosen(&ats(&mine), &Curve::lowest(&ats(&best), |it| it.under));
    let followed: Vec<&Point> = followed.into_iter().map(|at| mine[at]).collect();
    let reference = Curve::lowest(&again(&held_out, &hpa, &best)?, |it| it.under);
    let policy = Curve::through(&again(&held_out, &ours, &followed)?);
    Ok(Comparison::of(&reference, &policy))
}

fn ats(points: &[&Point]) -> Vec<At> {
    points.iter().map(|it| At::from(&it.score)).collect()
}

/// The same settings on other days.
fn again(days: &Contest, files: &Files, points: &[&Point]) -> Result<Vec<At>, Failure> {
    let knobs = find(files, RESOURCE);
    points
        .iter()
        .map(|point| {
            let run = days.run(&turned(files, &knobs, &point.values))?;
            Ok(At::from(&run.score))
        })
        .collect()
}

/// The HPA alone, and with a forecast under it.
fn sets(series: &Series) -> (Files, Files) {
    let per_instance = mean(series) / BUSY_REPLICAS;
    let step = series.step().days() * 86_400.0;
    let lead = STARTUP_SECONDS.max(step);
    let forecast = format!(
        "forecast:\n  policies:\n  - {{name: demand, resource: transcription_workers, signal: {SIGNAL}, per_instance: {per_instance:.3}, lead_seconds: {lead}, step_seconds: {step}, percentile: 95, slack: 1, most: 64}}\n"
    );
    let hpa: Files = [("limits.yaml", LIMITS), ("hpa.yaml", HPA)]
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .into();
    let mut ours = hpa.clone();
    // Until it is retuned, the HPA is there for what nobody foresaw.
    let full = HPA.replace("averageUtilization: 70", "averageUtilization: 95");
    ours.insert("hpa.yaml".to_owned(), full);
    ours.insert("forecast.yaml".to_owned(), forecast);
    (hpa, ours)
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
