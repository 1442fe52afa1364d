//! How many replicas an objective takes, such as "95 % of transcriptions within 5 s at 12 jobs a minute".
//!
//! The model is a queue with general service and `c` servers. The chance to wait is Erlang's C; the wait of those who wait is
//! exponential, with the mean of Allen and Cunneen's approximation (`Statistical Models in Simulation`, 1990):
//! `E[S] / (c (1−ρ)) · (ca² + cs²) / 2`. Time in the system is that wait convolved with the service time.

mod erlang;
mod service;

use serde::Serialize;

pub use self::service::Service;
use self::{erlang::Erlang, service::Cells};

/// No installation has more replicas of one thing than this, and no search goes further.
pub const MOST_REPLICAS: u32 = 100_000;

/// A share of jobs that is done within a time from arriving: waiting and service together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Objective {
    /// Above 0, below 1.
    pub share: f64,
    pub seconds: f64,
}

impl std::str::FromStr for Objective {
    type Err = String;

    /// `p95<5s`, `p99.9 < 800ms`, `p95<2m`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is no objective: write p95<5s, with a percentile and a time in ms, s or m"
            )
        };
        let (share, time) = text
            .trim()
            .strip_prefix('p')
            .and_then(|rest| rest.split_once('<'))
            .ok_or_else(wrong)?;
        let share: f64 = share.trim().parse().map_err(|_| wrong())?;
        let time = time.trim().trim_start_matches('=').trim();
        let (number, unit) = [("ms", 1e-3), ("s", 1.0), ("m", 60.0)]
            .into_iter()
            .find_map(|(unit, seconds)| Some((time.strip_suffix(unit)?, seconds)))
            .unwrap_or((time, 1.0));
        let seconds = unit * number.trim().parse::<f64>().map_err(|_| wrong())?;
        if !(share > 0.0 && share < 100.0 && seconds > 0.0 && seconds.is_finite()) {
            return Err(wrong());
        }
        Ok(Self {
            share: share / 100.0,
            seconds,
        })
    }
}

/// What arrives.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Arrivals {
    /// Jobs a second.
    pub rate: f64,
    /// The squared coefficient of variation of the times between them; 1 for a Poisson process, more for bursts.
    pub variability: f64,
}

impl Arrivals {
    #[must_use]
    pub fn poisson(rate: f64) -> Self {
        Self {
            rate,
            variability: 1.0,
        }
    }
}

/// What is asked for beyond the objective itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Margins {
    /// How much more demand than stated must be carried: 0.2 is a fifth more.
    pub headroom: f64,
    /// How long a new replica takes to be ready, in seconds, and by how much demand may grow in a minute meanwhile: 0.05 is a
    /// twentieth of it.
    pub startup_seconds: f64,
    pub growth_a_minute: f64,
    /// How many replicas may be lost with the objective still met; 1 is N-1.
    pub spare: u32,
}

impl Default for Margins {
    fn default() -> Self {
        Self {
            headroom: 0.0,
            startup_seconds: 0.0,
            growth_a_minute: 0.0,
            spare: 0,
        }
    }
}

impl Margins {
    /// What demand is multiplied with.
    #[must_use]
    pub fn factor(self) -> f64 {
        (1.0 + self.headroom) * (1.0 + self.growth_a_minute).powf(self.startup_seconds / 60.0)
    }
}

/// An answer with the steps that led to it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sizing {
    /// What to run.
    pub replicas: u32,
    /// What the stated demand takes alone.
    pub for_demand: u32,
    /// What it takes with headroom and growth during start-up.
    pub with_margins: u32,
    pub spare: u32,
    /// How busy `replicas` are at the stated demand.
    pub utilisation: f64,
    /// Behaviour at the stated demand with `replicas`, and with fewer and more.
    pub at: Vec<Behaviour>,
}

/// How a number of replicas behaves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Behaviour {
    pub replicas: u32,
    pub utilisation: f64,
    /// The share of jobs that wait.
    pub waits: f64,
    pub mean_wait_seconds: f64,
    /// The share of jobs that are done within the objective's time.
    pub within: f64,
    pub meets: bool,
}

#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize)]
pub enum Infeasible {
    /// Service alone takes too long.
    #[error(
        "no number of replicas can meet it: service alone takes more than {seconds} s for {:.1} % of jobs, and the objective allows {:.1} %. \
         Faster service (a mean of at most {needed_mean:.2} s with the same spread), a longer time or a lower percentile can",
        100.0 * .too_slow, 100.0 * .allowed
    )]
    Service {
        seconds: f64,
        too_slow: f64,
        allowed: f64,
        needed_mean: f64,
    },
    #[error("it takes more than {MOST_REPLICAS} replicas")]
    TooMany,
    #[error("{0}")]
    Input(String),
}

/// The least number of replicas that meets the objective, with margins.
///
/// # Errors
/// When no number can, and why.
pub fn size(
    arrivals: Arrivals,
    service: &Service,
    objective: Objective,
    margins: Margins,
) -> Result<Sizing, Infeasible> {
    check(arrivals, service, margins)?;
    let cells = service.cells(objective.seconds);
    let allowed = 1.0 - objective.share;
    if cells.beyond >= allowed {
        return Err(Infeasible::Service {
            seconds: objective.seconds,
            too_slow: cells.beyond,
            allowed,
            needed_mean: service.mean_that_fits(objective),
        });
    }
    let queue = |rate| Queue {
        arrivals: Arrivals { rate, ..arrivals },
        service,
        cells: &cells,
    };
    let for_demand = queue(arrivals.rate)
        .least(allowed)
        .ok_or(Infeasible::TooMany)?;
    let with_margins = match margins.factor() {
        factor if factor <= 1.0 => for_demand,
        factor => queue(arrivals.rate * factor)
            .least(allowed)
            .ok_or(Infeasible::TooMany)?,
    };
    let replicas = with_margins + margins.spare;
    let now = queue(arrivals.rate);
    let around = for_demand.saturating_sub(2).max(1)..=replicas + 1;
    Ok(Sizing {
        replicas,
        for_demand,
        with_margins,
        spare: margins.spare,
        utilisation: now.load() / f64::from(replicas),
        at: around
            .take(12)
            .map(|count| now.behaviour(count, allowed))
            .collect(),
    })
}

fn check(arrivals: Arrivals, service: &Service, margins: Margins) -> Result<(), Infeasible> {
    let positive = |what: &str, value: f64| {
        if value > 0.0 && value.is_finite() {
            Ok(())
        } else {
            Err(Infeasible::Input(format!(
                "{what} is {value}: it must be above 0"
            )))
        }
    };
    positive("the rate of arrivals", arrivals.rate)?;
    positive("the mean service time", service.mean())?;
    if !(arrivals.variability >= 0.0 && arrivals.variability.is_finite()) {
        return Err(Infeasible::Input(
            "the variability of arrivals must be 0 or more".to_owned(),
        ));
    }
    if !(margins.factor() >= 1.0 && margins.factor().is_finite()) {
        return Err(Infeasible::Input(
            "headroom, start-up time and growth must be 0 or more".to_owned(),
        ));
    }
    Ok(())
}

struct Queue<'a> {
    arrivals: Arrivals,
    service: &'a Service,
    cells: &'a Cells,
}

impl Queue<'_> {
    /// Replicas that are busy on average, in erlangs.
    fn load(&self) -> f64 {
        self.arrivals.rate * self.service.mean()
    }

    fn least(&self, allowed: f64) -> Option<u32> {
        let mut erlang = Erlang::new(self.load());
        while erlang.servers() <= MOST_REPLICAS {
            erlang.add_server();
            if erlang.is_stable() && self.late(&erlang) <= allowed {
                return Some(erlang.servers());
            }
        }
        None
    }

    /// The share of jobs that take longer than the objective's time.
    fn late(&self, erlang: &Erlang) -> f64 {
        self.cells.beyond
            + erlang.waits() * self.cells.late_after_wait(self.wait_of_waiting(erlang))
    }

    /// The mean wait of those who wait, in seconds.
    fn wait_of_waiting(&self, erlang: &Erlang) -> f64 {
        let free = f64::from(erlang.servers()) - self.load();
        let variability = f64::midpoint(self.arrivals.variability, self.service.variability());
        self.service.mean() / free * variability
    }

    fn behaviour(&self, replicas: u32, allowed: f64) -> Behaviour {
        let mut erlang = Erlang::new(self.load());
        for _ in 0..replicas {
            erlang.add_server();
        }
        let stable = erlang.is_stable();
        let late = if stable { self.late(&erlang) } else { 1.0 };
        Behaviour {
            replicas,
            utilisation: (self.load() / f64::from(replicas)).min(1.0),
            waits: if stable { erlang.waits() } else { 1.0 },
            mean_wait_seconds: if stable {
                erlang.waits() * self.wait_of_waiting(&erlang)
            } else {
                f64::INFINITY
            },
            within: 1.0 - late,
            meets: stable && late <= allowed,
        }
    }
}

#[cfg(test)]
mod tests;
