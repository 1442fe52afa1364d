//! How many instances carry a demand that keeps so many of them busy.

use serde::{Deserialize, Serialize};

use crate::capacity::size::{Arrivals, Margins, Objective, Service, size};

/// What each job takes, and when it is to be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jobs {
    /// The mean time one takes, in seconds.
    pub seconds: f64,
    /// The standard deviation of these times over their mean.
    #[serde(default = "exponential")]
    pub cv: f64,
    /// The share of jobs that is to be done in time, waiting included.
    #[serde(default = "ninety_five_of_a_hundred")]
    pub share: f64,
    pub within_seconds: f64,
}

fn exponential() -> f64 {
    1.0
}

fn ninety_five_of_a_hundred() -> f64 {
    0.95
}

impl Jobs {
    /// # Errors
    /// A number that makes no sense, or an objective that no number of instances meets.
    pub(super) fn check(&self) -> Result<(), String> {
        if !(self.seconds > 0.0 && self.seconds.is_finite()) {
            return Err("jobs.seconds must be above 0".to_owned());
        }
        if !(0.0..=10.0).contains(&self.cv) {
            return Err("jobs.cv must be from 0 to 10".to_owned());
        }
        if !(self.share > 0.0 && self.share < 1.0) {
            return Err("jobs.share must be between 0 and 1, such as 0.95".to_owned());
        }
        if !(self.within_seconds > 0.0 && self.within_seconds.is_finite()) {
            return Err("jobs.within_seconds must be above 0".to_owned());
        }
        self.sized(1.0).map(drop).map_err(|why| why.to_string())
    }

    /// The least that meet the objective when so many are busy on average.
    pub(super) fn staff(&self, busy: f64) -> i32 {
        if busy <= 0.0 {
            return 0;
        }
        // What is beyond all that can be counted is bounded by whoever asks.
        let count = self.sized(busy).unwrap_or(u32::MAX);
        i32::try_from(count).unwrap_or(i32::MAX)
    }

    fn sized(&self, busy: f64) -> Result<u32, crate::capacity::size::Infeasible> {
        let service = Service::Gamma {
            mean: self.seconds,
            cv: self.cv,
        };
        let objective = Objective {
            share: self.share,
            seconds: self.within_seconds,
        };
        let arrivals = Arrivals::poisson(busy / self.seconds);
        Ok(size(arrivals, &service, objective, Margins::default())?.for_demand)
    }
}

/// As many as are busy, in whole numbers.
pub(super) fn carrying(busy: f64) -> i32 {
    (busy - 1e-9).ceil().clamp(0.0, f64::from(i32::MAX)) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOBS: Jobs = Jobs {
        seconds: 2.0,
        cv: 0.8,
        share: 0.95,
        within_seconds: 10.0,
    };

    #[test]
    fn few_need_more_to_spare_than_many() {
        for (busy, count) in [(0.0, 0), (0.1, 1), (0.8, 2), (4.0, 5), (32.0, 33)] {
            assert_eq!(JOBS.staff(busy), count, "{busy}");
        }
        let hurried = Jobs {
            within_seconds: 6.0,
            ..JOBS
        };
        assert!(hurried.staff(8.0) > JOBS.staff(8.0));
    }

    #[test]
    fn without_jobs_they_are_all_busy() {
        for (busy, count) in [(0.0, 0), (0.1, 1), (3.0, 3), (3.01, 4)] {
            assert_eq!(carrying(busy), count, "{busy}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (wrong, name) in [
            (
                Jobs {
                    seconds: 0.0,
                    ..JOBS
                },
                "jobs.seconds",
            ),
            (Jobs { cv: -1.0, ..JOBS }, "jobs.cv"),
            (
                Jobs {
                    share: 95.0,
                    ..JOBS
                },
                "jobs.share",
            ),
            (
                Jobs {
                    within_seconds: f64::NAN,
                    ..JOBS
                },
                "jobs.within_seconds",
            ),
            // Service alone takes too long.
            (
                Jobs {
                    within_seconds: 3.0,
                    ..JOBS
                },
                "no number of replicas can meet it",
            ),
        ] {
            let problem = wrong.check().unwrap_err();
            assert!(problem.contains(name), "{problem}");
        }
    }
}
