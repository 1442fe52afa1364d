//! How fast the planner's parts are, as Markdown: a sizing, a forecast of 48 hours from eight weeks, and a tick of the replayed world.

use std::{hint::black_box, time::Instant};

use hysio_control::replay::world::{Settings, World};
use hysio_scaling::{
    capacity::size::{Arrivals, Margins, Objective, Service, size},
    forecast::{Holidays, Model},
    series::{Combine, HOUR, Series},
};

fn main() {
    println!("| part | time |\n|---|---|");
    for rate in [0.5, 5.0, 30.0] {
        let micros = sizing(rate);
        println!("| sizing, {rate} jobs a second | {micros:.1} µs |");
    }
    println!("| forecast, fit and 48 hours | {:.2} ms |", forecast());
    println!("| a tick of the world | {:.0} ns |", tick());
}

/// Microseconds.
fn sizing(rate: f64) -> f64 {
    let service = Service::Gamma { mean: 1.0, cv: 0.8 };
    let objective = Objective {
        share: 0.95,
        seconds: 5.0,
    };
    let each = time(2_000, || {
        black_box(
            size(
                Arrivals::poisson(black_box(rate)),
                &service,
                objective,
                Margins::default(),
            )
            .is_ok(),
        );
    });
    1e6 * each
}

/// Milliseconds.
fn forecast() -> f64 {
    let mut random = fastrand::Rng::with_seed(1);
    let arrivals = (0..8 * 168).map(|hour| {
        let day = std::f64::consts::TAU * f64::from(hour % 24) / 24.0;
        (6.0 * (-0.7 * day.cos()).exp() * (0.5 + random.f64())).round()
    });
    let start = jiff::civil::date(2024, 1, 1).at(0, 0, 0, 0);
    let series = Series::local(start, HOUR, Combine::Sum, arrivals.collect());
    let each = time(200, || {
        black_box(
            Model::FourierRegression
                .forecast(black_box(&series), 48, Holidays::NONE)
                .is_ok(),
        );
    });
    1e3 * each
}

/// Nanoseconds.
fn tick() -> f64 {
    let mut world = World::new(Settings {
        seed: 1,
        service: Service::Gamma { mean: 1.0, cv: 1.0 },
        objective_seconds: 5.0,
        replicas_at_start: 8,
        startup_seconds: 60.0,
        drain_seconds: 30.0,
        failures_a_day: 1.0,
        quota: 100,
        chaos: Vec::new(),
    });
    let each = time(2_000_000, || {
        world.step(4.0, |seen| {
            4 + u32::from(seen.load.is_some_and(|load| load.utilisation > 0.6)) * 4
        });
    });
    black_box(world.totals());
    1e9 * each
}

/// Seconds each, after a tenth to warm up.
fn time(times: u32, mut what: impl FnMut()) -> f64 {
    for _ in 0..times / 10 {
        what();
    }
    let started = Instant::now();
    for _ in 0..times {
        what();
    }
    started.elapsed().as_secs_f64() / f64::from(times)
}
