//! How long a backtest of 64 runs takes on one core: 4 traces × 2 start-up times × 8 sets of policies, a day each in ticks of 15 seconds,
//! through the same decisions that run in production. Forecasts know so many days before; what one run forecast, another on the same days
//! takes over. Markdown.
//!
//!     cargo run --release -p hysio-control --example backtests [DAYS [DAYS_BEFORE]]

use std::{collections::BTreeMap, time::Instant};

use hysio_control::replay::{Decider, Demand, Shows, run, world::Settings};
use hysio_scaling::{
    Resource,
    capacity::size::Service,
    forecast::policy::Kept,
    policies::Policies,
    series::{Combine, Series, Step},
};
use jiff::tz::TimeZone;

/// What forecasts learn from.
const SIGNAL: &str = "active_sessions";
const STEPS_A_DAY: u32 = 1440;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let days = |place: usize, default: u32| {
        let given = std::env::args().nth(place);
        given.map_or(Ok(default), |days| days.parse())
    };
    let (days, before) = (days(1, 1)?, days(2, 14)?);
    let mut sets = sets()?;
    let service = Service::Gamma { mean: 1.0, cv: 0.8 };
    let objective = "p95<5s".parse()?;
    let signals = BTreeMap::from([
        ("transcription_queue".to_owned(), Shows::Queue),
        (SIGNAL.to_owned(), Shows::Trace),
        ("cpu_usage".to_owned(), Shows::Busy),
    ]);
    let (mut runs, mut ticks) = (0, 0);
    let (mut sizing, mut replaying) = (0.0, 0.0);
    let mut each = [0.0; 8];
    for trace in 0..4 {
        let all = demand(trace, before + days);
        let split = (before * STEPS_A_DAY) as usize;
        let demand = all.part(split..all.values.len());
        let seen = BTreeMap::from([(SIGNAL.to_owned(), history(&all.part(0..split)))]);
        let kept = Kept::default();
        for policies in &mut sets {
            policies.keep_forecasts(&kept);
        }
        let started = Instant::now();
        let needed = demand.needed(&service, objective)?;
        sizing += started.elapsed().as_secs_f64();
        for startup_seconds in [60.0, 600.0] {
            for (at, policies) in sets.iter().enumerate() {
                let settings = Settings {
                    seed: 1,
                    service: service.clone(),
                    objective_seconds: 5.0,
                    replicas_at_start: needed[0].max(1),
                    startup_seconds,
                    drain_seconds: 30.0,
                    failures_a_day: 0.5,
                    quota: 60,
                    chaos: Vec::new(),
                };
                let started = Instant::now();
                let history = policies.remembering(&seen);
                let decider = Decider::Policies {
                    policies,
                    resource: Resource::TranscriptionWorkers,
                    signals: &signals,
                    history: &history,
                };
                let run = run(&demand, &needed, settings, &decider, |_| {});
                each[at] += started.elapsed().as_secs_f64();
                runs += 1;
                ticks += run.totals.ticks;
            }
        }
    }
    replaying += each.iter().sum::<f64>();
    println!("| part | time |\n|---|---|");
    println!("| {runs} runs of {days} day(s) after {before}, {ticks} ticks | {replaying:.2} s |");
    println!("| what was needed, 4 traces | {sizing:.3} s |");
    for (name, seconds) in NAMES.iter().zip(each) {
        println!(
            "| a tick with {name} | {:.2} µs |",
            8e6 * seconds / f64::from(ticks)
        );
    }
    Ok(())
}

const NAMES: [&str; 8] = [
    "an HPA at 50 %",
    "an HPA at 70 %",
    "an HPA at 70 %, slow to shrink",
    "a queue of 5 a worker",
    "a queue of 20 a worker",
    "a forecast and an HPA",
    "a forecast and a queue",
    "a forecast two steps ahead and an HPA",
];

fn sets() -> Result<Vec<Policies>, hysio_scaling::policies::Refused> {
    let hpa = |target: u32, window: u32| {
        (
            "hpa.yaml",
            format!(
                "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata:\n  name: workers\nspec:\n  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: transcription-workers}}\n  minReplicas: 1\n  maxReplicas: 60\n  metrics:\n  - type: Resource\n    resource: {{name: cpu, target: {{type: Utilization, averageUtilization: {target}}}}}\n  behavior:\n    scaleDown: {{stabilizationWindowSeconds: {window}}}\n"
            ),
        )
    };
    let queue = |length: u32| {
        (
            "queue.yaml",
            format!(
                "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata:\n  name: workers\nspec:\n  scaleTargetRef: {{name: transcription-workers}}\n  minReplicaCount: 1\n  maxReplicaCount: 60\n  triggers:\n  - type: redis\n    metadata: {{address: localhost:6379, listName: transcription_queue, listLength: \"{length}\"}}\n"
            ),
        )
    };
    let forecast = |lead: u32| {
        (
            "forecast.yaml",
            format!(
                "forecast:\n  policies:\n  - {{name: sessions, resource: transcription_workers, signal: active_sessions, per_instance: 1, lead_seconds: {lead}, most: 60}}\n"
            ),
        )
    };
    [
        vec![hpa(50, 300)],
        vec![hpa(70, 300)],
        vec![hpa(70, 1800)],
        vec![queue(5)],
        vec![queue(20)],
        vec![forecast(900), hpa(70, 300)],
        vec![forecast(900), queue(5)],
        vec![forecast(1800), hpa(70, 300)],
    ]
    .map(|files| {
        let mut files: BTreeMap<String, String> = files
            .into_iter()
            .map(|(name, text)| (name.to_owned(), text))
            .collect();
        files.insert(
            "limits.yaml".to_owned(),
            "resources:\n  transcription_workers: {min: 1, max: 60}\n".to_owned(),
        );
        Policies::read(&files)
    })
    .into_iter()
    .collect()
}

fn history(demand: &Demand) -> Series {
    let minute = Step::Seconds(60);
    let values = demand.values.clone();
    Series::new(demand.start, minute, TimeZone::UTC, Combine::Mean, values)
}

/// Minutes of a working day, an even day, a day with a burst, and a night shift; with noise, the same each time.
fn demand(kind: u32, days: u32) -> Demand {
    let mut random = fastrand::Rng::with_seed(u64::from(kind));
    let rates: Vec<f64> = (0..days * STEPS_A_DAY)
        .map(|minute| {
            let day = f64::from(minute % STEPS_A_DAY) / f64::from(STEPS_A_DAY);
            let wave = 1.0 - (std::f64::consts::TAU * (day - 0.1)).cos();
            let shape = match kind {
                0 => 1.0 + 5.0 * wave,
                1 => 6.0,
                2 => {
                    2.0 + 2.0 * wave
                        + if (0.60..0.65).contains(&day) {
                            20.0
                        } else {
                            0.0
                        }
                }
                _ => 12.0 - 5.0 * wave,
            };
            shape * (0.9 + 0.2 * random.f64())
        })
        .collect();
    Demand {
        start: jiff::Timestamp::from_second(1_714_521_600).unwrap_or_default(),
        step_seconds: 60.0,
        values: rates.clone(),
        rates,
    }
}
