//! A forecast as a floor under an HPA, against the best retuned HPA at equal cost, with replicas that take ten minutes to start.
//! Both are tuned on the same days and compared on the days after them. Markdown.
//!
//!     cargo run --release -p hysio-control --example equal_cost RUNS DAYS TRACE.csv…
//!
//! Each trace is scaled so that its mean takes eight replicas. The first half of the last DAYS is to learn from, the second is held out.

use std::{collections::BTreeMap, fs::File, io::BufReader, path::Path};

use hysio_control::replay::{
    Demand, Shows,
    equal_cost::{At, Comparison, Curve, chosen},
    tune::{Contest, Misses, Point, Search, front},
    world::Settings,
};
use hysio_scaling::{
    Resource,
    capacity::size::Service,
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

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let runs: usize = arguments.next().ok_or("RUNS DAYS TRACE…")?.parse()?;
    let days: usize = arguments.next().ok_or("RUNS DAYS TRACE…")?.parse()?;
    println!(
        "| trace | θ_U, HPA | θ_U, forecast and HPA | ratio | actions a day, HPA | actions a day, forecast and HPA | ratio |\n|---|---|---|---|---|---|---|"
    );
    for file in arguments {
        let name = Path::new(&file)
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let trace = trace::read(
            &file,
            BufReader::new(File::open(&file)?),
            &trace::Options::default(),
        )?;
        match compare(&trace.series, days, runs)? {
            Some(comparison) => println!("{}", row(&name, &comparison)),
            None => println!("| {name} | no cost in common | | | | | |"),
        }
    }
    Ok(())
}

fn row(name: &str, it: &Comparison) -> String {
    let mean =
        |of: fn(&(At, At)) -> f64| it.at.iter().map(of).sum::<f64>() / it.at.len().max(1) as f64;
    for (reference, policy) in &it.at {
        eprintln!("{name}: {reference:.2?} {policy:.2?}");
    }
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

fn compare(series: &Series, days: usize, runs: usize) -> Result<Option<Comparison>, Failure> {
    let series = if series.step().days() < FIVE_MINUTES.days() {
        series.in_steps_of(FIVE_MINUTES)
    } else {
        series.clone()
    };
    let day = series.step().count_in(1.0);
    let length = (days * day).min(series.len() * 2 / 3);
    let begin = series.len() - length;
    let service = Service::Gamma { mean: 2.0, cv: 0.8 };
    let mean = series
        .values()
        .iter()
        .filter(|it| !it.is_nan())
        .sum::<f64>()
        / series.known() as f64;
    let factor = 8.0 / service.mean() / mean;
    let mut last = 0.0;
    let values: Vec<f64> = series.values()[begin..]
        .iter()
        .map(|value| {
            last = if value.is_nan() { last } else { *value };
            last
        })
        .collect();
    let whole = Demand {
        start: series.time(begin),
        step_seconds: series.step().days() * 86_400.0,
        rates: values.iter().map(|value| value * factor).collect(),
        values,
    };
    let half = length / 2;
    let (learnt, held_out) = (whole.part(0..half), whole.part(half..length));
    let objective = "p95<10s".parse()?;
    let signals = BTreeMap::from([("active_sessions".to_owned(), Shows::Trace)]);
    let before = [begin, begin + half]
        .map(|end| BTreeMap::from([("active_sessions".to_owned(), series.part(0..end))]));
    let needs = [
        learnt.needed(&service, objective)?,
        held_out.needed(&service, objective)?,
    ];
    let contests: Vec<Contest> = [&learnt, &held_out]
        .into_iter()
        .enumerate()
        .map(|(at, demand)| Contest {
            demand,
            needed: &needs[at],
            settings: Settings {
                seed: 1,
                service: service.clone(),
                objective_seconds: 10.0,
                replicas_at_start: needs[at][0].max(1),
                startup_seconds: 600.0,
                drain_seconds: 30.0,
                failures_a_day: 0.0,
                quota: 64,
                chaos: Vec::new(),
            },
            resource: RESOURCE,
            signals: &signals,
            before: &before[at],
            forecasts: hysio_scaling::forecast::policy::Kept::default(),
        })
        .collect();
    let per_instance = mean / 8.0 * 0.8;
    let step = (series.step().days() * 86_400.0).max(900.0);
    let forecast = format!(
        "forecast:\n  policies:\n  - {{name: demand, resource: transcription_workers, signal: active_sessions, per_instance: {per_instance:.3}, lead_seconds: {}, step_seconds: {step}, most: 64}}\n",
        step.max(900.0)
    );
    let hpa = BTreeMap::from([
        ("limits.yaml".to_owned(), LIMITS.to_owned()),
        ("hpa.yaml".to_owned(), HPA.to_owned()),
    ]);
    let mut ours = hpa.clone();
    ours.insert("forecast.yaml".to_owned(), forecast);
    let search = Search {
        seed: 1,
        runs,
        misses: Misses::UnderProvisioning,
    };
    let mut sides = Vec::new();
    for files in [&hpa, &ours] {
        let knobs = find(files, RESOURCE);
        let points = search.points(files, &knobs, &contests[0], &|| {})?;
        sides.push((files, knobs, points));
    }
    let ats = |points: &[&Point]| {
        points
            .iter()
            .map(|it| At::from(&it.score))
            .collect::<Vec<_>>()
    };
    let reference_points = front(&sides[0].2, search.misses);
    let learnt = Curve::lowest(&ats(&reference_points), |it| it.under);
    let policy_points: Vec<&Point> = sides[1].2.iter().collect();
    let followed: Vec<&Point> = chosen(&ats(&policy_points), &learnt)
        .into_iter()
        .map(|at| policy_points[at])
        .collect();
    let again = |side: usize, points: &[&Point]| -> Result<Vec<At>, Failure> {
        let (files, knobs, _) = &sides[side];
        points
            .iter()
            .map(|point| {
                if side == 1 {
                    eprintln!("{:?} {:.2?}", point.values, At::from(&point.score));
                }
                Ok(At::from(
                    &contests[1].run(&turned(files, knobs, &point.values))?.score,
                ))
            })
            .collect()
    };
    let reference = Curve::lowest(&again(0, &reference_points)?, |it| it.under);
    let policy = Curve::through(&again(1, &followed)?);
    Ok(Comparison::of(&reference, &policy))
}
