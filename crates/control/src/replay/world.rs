//! A queue and its replicas, in ticks of 15 seconds. It knows nothing of policies: something is asked at each tick how many replicas it
//! wants. The same seed gives the same run to the byte.
//!
//! Work is a fluid within a tick: jobs arrive (Poisson about the rate), bring work (normal about the mean, by the number of jobs), wait
//! behind the work that is there, and are done in the order of arrival. What a job's own service adds comes from a table of its
//! distribution, so that a tick costs nanoseconds, not a job each.

mod chaos;
mod fleet;

use hysio_scaling::capacity::size::Service;
use serde::Serialize;

pub use self::chaos::{Chaos, Kind, Trouble};
use self::fleet::Fleet;

/// The length of a tick, as HPA's sync period.
pub const TICK_SECONDS: f64 = 15.0;
/// Cells of the table of service times.
const CELLS: usize = 64;

#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub seed: u64,
    pub service: Service,
    /// Jobs are in time when waiting and service take no longer.
    pub objective_seconds: f64,
    pub replicas_at_start: u32,
    /// From asking for a replica to its being ready.
    pub startup_seconds: f64,
    /// How long a replica that goes still finishes what it has.
    pub drain_seconds: f64,
    /// Failures of one replica in a day.
    pub failures_a_day: f64,
    pub quota: u32,
    pub chaos: Vec<Chaos>,
}

/// What a policy may see. During an outage of the metrics it sees nothing but the counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    pub tick: u32,
    pub desired: u32,
    pub running: u32,
    pub ready: u32,
    pub load: Option<Load>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Jobs that wait.
    pub queue: f64,
    /// Jobs that came in the last tick, a second.
    pub rate: f64,
    /// How busy ready replicas were in the last tick, from 0 to 1.
    pub utilisation: f64,
    /// How long the queue takes, in seconds.
    pub wait_seconds: f64,
}

/// Sums over a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Totals {
    pub ticks: u32,
    pub arrived: f64,
    pub done: f64,
    /// Jobs that took longer than the objective's time.
    pub late: f64,
    pub longest_wait_seconds: f64,
    /// Replicas that are paid for: starting, ready and draining.
    pub replica_hours: f64,
    pub changes: u32,
    pub failures: u32,
    /// What was asked for and not to be had.
    pub refused: u32,
}

impl Totals {
    #[must_use]
    pub fn late_share(&self) -> f64 {
        self.late / self.arrived.max(f64::MIN_POSITIVE)
    }
}

pub struct World {
    settings: Settings,
    random: fastrand::Rng,
    fleet: Fleet,
    /// Shares of service times up to each part of the objective's time.
    within: [f64; CELLS + 1],
    tick: u32,
    /// Work that waits, in seconds of one replica, and the jobs that brought it.
    work: f64,
    jobs: f64,
    load: Load,
    totals: Totals,
}

impl World {
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let within = std::array::from_fn(|at| {
            settings
                .service
                .within(settings.objective_seconds * at as f64 / CELLS as f64)
        });
        Self {
            random: fastrand::Rng::with_seed(settings.seed),
            fleet: Fleet::new(settings.replicas_at_start, settings.failures_a_day),
            within,
            tick: 0,
            work: 0.0,
            jobs: 0.0,
            load: Load {
                queue: 0.0,
                rate: 0.0,
                utilisation: 0.0,
                wait_seconds: 0.0,
            },
            totals: Totals::default(),
            settings,
        }
    }

    #[must_use]
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// Replicas that serve now.
    #[must_use]
    pub fn ready(&self) -> u32 {
        self.fleet.ready()
    }

    /// Lives through one tick with so many jobs a second, asking `decide` how many replicas to want.
    pub fn step(&mut self, rate: f64, decide: impl FnOnce(&Seen) -> u32) {
        let trouble = chaos::now(&self.settings.chaos, self.tick);
        let seen = self.seen(trouble);
        let wanted = decide(&seen);
        self.change(wanted, trouble);
        self.serve(rate);
        self.tick += 1;
        self.totals.ticks += 1;
        self.totals.replica_hours += f64::from(self.fleet.paid()) * TICK_SECONDS / 3600.0;
    }

    fn seen(&self, trouble: Trouble) -> Seen {
        Seen {
            tick: self.tick,
            desired: self.fleet.desired(),
            running: self.fleet.paid(),
            ready: self.fleet.ready(),
            load: (!trouble.no_metrics).then_some(self.load),
        }
    }

    fn change(&mut self, wanted: u32, trouble: Trouble) {
        let quota = self.settings.quota.min(trouble.quota);
        let granted = wanted.min(quota);
        self.totals.refused += u32::from(wanted > quota);
        self.totals.changes += u32::from(granted != self.fleet.desired());
        let startup = self.settings.startup_seconds * trouble.startup;
        self.totals.failures += self.fleet.lives(
            self.tick,
            granted,
            ticks(startup),
            ticks(self.settings.drain_seconds),
            trouble.lost_share,
            &mut self.random,
        );
    }

    fn serve(&mut self, rate: f64) {
        let arrived = poisson(rate * TICK_SECONDS, &mut self.random);
        let ready = f64::from(self.fleet.ready());
        // Those who come in this tick find half of its arrivals before them, and half of its capacity spent on the queue.
        let wait_before = if ready > 0.0 {
            self.work / ready
        } else {
            f64::INFINITY
        };
        let mean = self.settings.service.mean();
        let spread = (arrived * self.settings.service.variability()).sqrt();
        let work = mean * (arrived + spread * normal(&mut self.random)).max(0.1 * arrived);
        let capacity = ready * TICK_SECONDS;
        let done = (self.work + work).min(capacity);
        let wait_after = if ready > 0.0 {
            (self.work + work - done) / ready
        } else {
            f64::INFINITY
        };
        self.totals.arrived += arrived;
        self.totals.late += arrived * self.late(f64::midpoint(wait_before, wait_after));
        let share_done = if self.work + work > 0.0 {
            done / (self.work + work)
        } else {
            0.0
        };
        let jobs_done = (self.jobs + arrived) * share_done;
        self.totals.done += jobs_done;
        self.jobs += arrived - jobs_done;
        self.work += work - done;
        if wait_after.is_finite() {
            self.totals.longest_wait_seconds = self.totals.longest_wait_seconds.max(wait_after);
        }
        self.load = Load {
            queue: self.jobs,
            rate: arrived / TICK_SECONDS,
            utilisation: if capacity > 0.0 { done / capacity } else { 1.0 },
            wait_seconds: wait_after,
        };
    }

    /// The share of jobs that are late after such a wait.
    fn late(&self, wait: f64) -> f64 {
        let left = (self.settings.objective_seconds - wait) / self.settings.objective_seconds;
        if left <= 0.0 || left.is_nan() {
            return 1.0;
        }
        1.0 - self.within[((left * CELLS as f64) as usize).min(CELLS)]
    }
}

fn ticks(seconds: f64) -> u32 {
    (seconds / TICK_SECONDS).ceil().max(0.0) as u32
}

/// By counting up to a mean of 12, and by a rounded normal beyond.
fn poisson(mean: f64, random: &mut fastrand::Rng) -> f64 {
    if mean > 12.0 {
        return (mean + mean.sqrt() * normal(random)).round().max(0.0);
    }
    let (limit, mut product, mut count) = ((-mean).exp(), random.f64(), 0.0);
    while product > limit {
        product *= random.f64();
        count += 1.0;
    }
    count
}

/// The sum of four uniform numbers, scaled: close enough to normal for amounts, and the same on every machine.
fn normal(random: &mut fastrand::Rng) -> f64 {
    let sum = random.f64() + random.f64() + random.f64() + random.f64();
    (sum - 2.0) * 1.732_050_807_568_877_2
}

#[cfg(test)]
mod tests;
