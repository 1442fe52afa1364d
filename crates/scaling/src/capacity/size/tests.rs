use std::collections::BinaryHeap;

use super::*;

fn exponential(mean: f64) -> Service {
    Service::Gamma { mean, cv: 1.0 }
}

fn size_of(rate: f64, service: &Service, objective: &str) -> u32 {
    let objective = objective.parse().unwrap();
    size(
        Arrivals::poisson(rate),
        service,
        objective,
        Margins::default(),
    )
    .unwrap()
    .for_demand
}

#[test]
fn an_objective_that_service_alone_misses_is_infeasible_and_says_what_would_do() {
    let objective = "p95<5s".parse().unwrap();
    let error = size(
        Arrivals::poisson(0.2),
        &exponential(1.68),
        objective,
        Margins::default(),
    )
    .unwrap_err();
    let Infeasible::Service { needed_mean, .. } = error else {
        panic!("{error:?}")
    };
    // 5 / ln 20
    assert!((needed_mean - 1.669).abs() < 0.001, "{needed_mean}");
    assert!(
        size(
            Arrivals::poisson(0.2),
            &exponential(1.66),
            objective,
            Margins::default()
        )
        .is_ok()
    );
}

#[test]
fn one_server_with_exponential_service_has_its_exact_answer() {
    // M/M/1: time in the system is exponential with rate μ−λ.
    let within = |rate: f64, mean: f64| 1.0 - (-(1.0 / mean - rate) * 5.0).exp();
    for (rate, mean) in [(0.1, 1.0), (0.2, 1.2), (0.3, 1.0)] {
        let objective = "p50<5s".parse().unwrap();
        let sizing = size(
            Arrivals::poisson(rate),
            &exponential(mean),
            objective,
            Margins::default(),
        )
        .unwrap();
        let one = sizing.at.iter().find(|at| at.replicas == 1).unwrap();
        assert!(
            (one.within - within(rate, mean)).abs() < 2e-3,
            "{} {}",
            one.within,
            within(rate, mean)
        );
    }
}

#[test]
fn the_answer_is_within_one_replica_of_simulation() {
    let measured: Vec<f64> = (0..400)
        .map(|i| {
            if i % 10 == 0 {
                3.0
            } else {
                0.4 + 0.002 * f64::from(i)
            }
        })
        .collect();
    let services = [
        exponential(1.0),
        Service::Gamma { mean: 2.0, cv: 0.5 },
        Service::Gamma { mean: 1.2, cv: 0.0 },
        Service::Gamma { mean: 0.7, cv: 1.5 },
        Service::measured(measured).unwrap(),
    ];
    for rate in [0.5, 2.0, 8.0, 30.0] {
        for service in &services {
            let wanted = size_of(rate, service, "p95<5s");
            let simulated = least_simulated(
                rate,
                service,
                Objective {
                    share: 0.95,
                    seconds: 5.0,
                },
                wanted,
            );
            assert!(
                wanted.abs_diff(simulated) <= 1,
                "{rate}/s {service:?}: {wanted}, simulated {simulated}"
            );
        }
    }
}

#[test]
fn margins_only_add() {
    let objective = "p95<5s".parse().unwrap();
    let service = Service::Gamma { mean: 2.0, cv: 0.5 };
    let margins = Margins {
        headroom: 0.2,
        startup_seconds: 120.0,
        growth_a_minute: 0.05,
        spare: 1,
    };
    let sizing = size(Arrivals::poisson(3.0), &service, objective, margins).unwrap();
    assert!(sizing.for_demand < sizing.with_margins);
    assert_eq!(sizing.replicas, sizing.with_margins + 1);
    let spared = sizing
        .at
        .iter()
        .find(|at| at.replicas == sizing.with_margins)
        .unwrap();
    assert!(spared.meets);
}

#[test]
fn objectives_are_read_as_people_write_them() {
    assert_eq!(
        "p95<5s".parse(),
        Ok(Objective {
            share: 0.95,
            seconds: 5.0
        })
    );
    assert_eq!(
        "p50 < 2m".parse(),
        Ok(Objective {
            share: 0.5,
            seconds: 120.0
        })
    );
    for wrong in ["95<5s", "p95", "p95<soon", "p100<5s", "p95<0s"] {
        assert!(wrong.parse::<Objective>().is_err(), "{wrong}");
    }
}

proptest::proptest! {
    #[test]
    fn more_demand_never_takes_fewer_replicas(rate in 0.05..40.0_f64, more in 1.0..2.0_f64, mean in 0.1..3.0_f64, cv in 0.0..1.5_f64) {
        let service = Service::Gamma { mean, cv };
        let objective = Objective { share: 0.9, seconds: 10.0 };
        let size = |rate| size(Arrivals::poisson(rate), &service, objective, Margins::default());
        if let (Ok(less), Ok(more)) = (size(rate), size(rate * more)) {
            proptest::prop_assert!(less.for_demand <= more.for_demand);
            proptest::prop_assert!(f64::from(less.for_demand) > rate * mean);
        }
    }
}

/// The least count, near one that is suspected, with which a simulated queue meets the objective.
fn least_simulated(rate: f64, service: &Service, objective: Objective, near: u32) -> u32 {
    let meets = |count: u32| simulate(rate, service, objective.seconds, count) >= objective.share;
    let mut count = near;
    while count > 1 && meets(count - 1) {
        count -= 1;
    }
    while !meets(count) {
        count += 1;
    }
    count
}

/// First come, first served, over 60,000 jobs: the share that is done in time.
fn simulate(rate: f64, service: &Service, seconds: f64, servers: u32) -> f64 {
    const JOBS: u32 = 60_000;
    let mut random = fastrand::Rng::with_seed(7);
    let mut free: BinaryHeap<std::cmp::Reverse<u64>> =
        (0..servers).map(|_| std::cmp::Reverse(0)).collect();
    let (mut now, mut done) = (0.0, 0);
    for _ in 0..JOBS {
        now -= (1.0 - random.f64()).ln() / rate;
        let std::cmp::Reverse(ready) = free.pop().unwrap();
        let start = now.max(f64::from_bits(ready));
        let end = start + draw(service, &mut random);
        // Positive floats are ordered as their bits are.
        free.push(std::cmp::Reverse(end.to_bits()));
        done += u32::from(end - now <= seconds);
    }
    f64::from(done) / f64::from(JOBS)
}

fn draw(service: &Service, random: &mut fastrand::Rng) -> f64 {
    match service {
        Service::Measured { sorted, .. } => sorted[random.usize(0..sorted.len())],
        Service::Gamma { mean, cv } if *cv < 0.02 => *mean,
        Service::Gamma { mean, cv } => {
            let shape = 1.0 / (cv * cv);
            gamma(shape, random) * mean / shape
        }
    }
}

/// Marsaglia and Tsang's method; for a shape below 1 from one above it.
fn gamma(shape: f64, random: &mut fastrand::Rng) -> f64 {
    if shape < 1.0 {
        return gamma(shape + 1.0, random) * random.f64().max(1e-300).powf(1.0 / shape);
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = crate::forecast::counts::normal(random.f64().max(1e-12));
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 && random.f64().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v;
        }
    }
}
