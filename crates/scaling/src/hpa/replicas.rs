//! One metric to a number of replicas.
//!
//! Sums and averages are whole numbers and divisions truncate, as in the controller; overflows wrap where its do. A count
//! beyond 32 bits, which Go leaves to the processor, is the largest count here.

use super::{
    Millis, Settings,
    pods::{PodState, Samples, Standing, standing},
};

/// How far a ratio may be from one without a change; both ends are within.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerances {
    pub down: f64,
    pub up: f64,
}

impl Tolerances {
    #[must_use]
    pub fn contain(self, ratio: f64) -> bool {
        1.0 - self.down <= ratio && ratio <= 1.0 + self.up
    }
}

/// What a metric came to, and the replicas that it alone wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub replicas: i32,
    pub seen: Seen,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    Utilization {
        percent: i32,
        average: i64,
    },
    /// Thousandths, of each pod.
    Average {
        value: i64,
    },
    /// Thousandths, of the whole.
    Total {
        value: i64,
    },
}

/// The pods with their measurements of one metric, sorted by how they count.
pub struct Census<'a> {
    samples: &'a Samples,
    standings: Vec<Standing>,
    ready: usize,
    unready: usize,
    missing: usize,
}

impl<'a> Census<'a> {
    #[must_use]
    pub fn new(
        pods: &[PodState],
        samples: &'a Samples,
        is_cpu: bool,
        settings: &Settings,
        now: Millis,
    ) -> Self {
        let standings: Vec<_> = pods
            .iter()
            .enumerate()
            .map(|(index, pod)| {
                let sample = samples.of_pods.get(index).copied().flatten();
                standing(pod, sample, is_cpu, settings, now)
            })
            .collect();
        let count = |wanted| standings.iter().filter(|one| **one == wanted).count();
        let (ready, unready, missing) = (
            count(Standing::Ready),
            count(Standing::Unready),
            count(Standing::Missing),
        );
        Self {
            samples,
            standings,
            ready,
            unready,
            missing,
        }
    }

    #[must_use]
    pub fn standings(&self) -> &[Standing] {
        &self.standings
    }

    fn check_measured(&self) -> Result<(), String> {
        if self.standings.is_empty() {
            return Err("no pods returned by selector while calculating replica count".to_owned());
        }
        if self.ready + self.samples.of_strangers.len() == 0 {
            return Err(
                "did not receive metrics for targeted pods (pods might be unready)".to_owned(),
            );
        }
        Ok(())
    }

    /// The pods that stand so, by their index.
    fn which(&self, wanted: Standing) -> impl Iterator<Item = usize> {
        self.standings
            .iter()
            .enumerate()
            .filter(move |(_, standing)| **standing == wanted)
            .map(|(index, _)| index)
    }

    /// The values of the ready pods, with their index.
    fn measured(&self) -> impl Iterator<Item = (usize, i64)> {
        self.which(Standing::Ready).map(|index| {
            let value = self.samples.of_pods[index].map_or(0, |sample| sample.value);
            (index, value)
        })
    }

    /// From the first ratio to replicas. Where pods are unready or missing, `padded` gives the ratio again with them
    /// counted; the count that it leads to must not turn the direction.
    fn settle(
        &self,
        current: i32,
        tolerances: Tolerances,
        first: f64,
        padded: impl FnOnce(bool) -> Result<f64, String>,
    ) -> Result<i32, String> {
        let with_unready = self.unready > 0 && first > 1.0;
        if !with_unready && self.missing == 0 {
            return Ok(if tolerances.contain(first) {
                current
            } else {
                ceiling(first * self.ready as f64)
            });
        }
        let second = padded(with_unready)?;
        let turned = (first < 1.0 && second > 1.0) || (first > 1.0 && second < 1.0);
        if tolerances.contain(second) || turned {
            return Ok(current);
        }
        let mut entries = self.ready + self.samples.of_strangers.len() + self.missing;
        if with_unready {
            entries += self.unready;
        }
        let replicas = ceiling(second * entries as f64);
        let turned = (second < 1.0 && replicas > current) || (second > 1.0 && replicas < current);
        Ok(if turned { current } else { replicas })
    }
}

/// A resource's use as a percentage of what the pods request, held against `target` percent.
///
/// # Errors
/// Nothing to calculate from: no pods, no measurements, no requests.
pub fn by_utilization(
    current: i32,
    target: i32,
    tolerances: Tolerances,
    census: &Census<'_>,
    requests: &Result<Vec<i64>, String>,
) -> Result<Wanted, String> {
    census.check_measured()?;
    let requests = requests.as_deref().map_err(Clone::clone)?;
    let (mut used, mut requested, mut entries) = (0_i64, 0_i64, 0_i64);
    for (index, value) in census.measured() {
        used = used.wrapping_add(value);
        requested = requested.wrapping_add(requests[index]);
        entries += 1;
    }
    let percent = percentage(used, requested)?;
    let ratio = f64::from(percent) / f64::from(target);
    let replicas = census.settle(current, tolerances, ratio, |with_unready| {
        let (mut used, mut requested) = (used, requested);
        let full = i64::from(target.max(100));
        for index in census.which(Standing::Missing) {
            if ratio < 1.0 {
                used = used.wrapping_add(requests[index].wrapping_mul(full) / 100);
            }
            if ratio != 1.0 {
                requested = requested.wrapping_add(requests[index]);
            }
        }
        if with_unready {
            for index in census.which(Standing::Unready) {
                requested = requested.wrapping_add(requests[index]);
            }
        }
        Ok(f64::from(percentage(used, requested)?) / f64::from(target))
    })?;
    Ok(Wanted {
        replicas,
        seen: Seen::Utilization {
            percent,
            average: used / entries,
        },
    })
}

/// The mean of a metric over the pods, held against `target` thousandths.
///
/// # Errors
/// Nothing to calculate from: no pods, no measurements.
pub fn by_average(
    current: i32,
    target: i64,
    tolerances: Tolerances,
    census: &Census<'_>,
) -> Result<Wanted, String> {
    census.check_measured()?;
    let strangers = census.samples.of_strangers.iter().copied();
    let total = census
        .measured()
        .map(|(_, value)| value)
        .chain(strangers)
        .fold(0_i64, i64::wrapping_add);
    let entries = (census.ready + census.samples.of_strangers.len()) as i64;
    let average = total / entries;
    let ratio = average as f64 / target as f64;
    let replicas = census.settle(current, tolerances, ratio, |with_unready| {
        let (mut total, mut entries) = (total, entries);
        if ratio != 1.0 {
            entries += census.missing as i64;
        }
        if ratio < 1.0 {
            total = total.wrapping_add(target.wrapping_mul(census.missing as i64));
        }
        if with_unready {
            entries += census.unready as i64;
        }
        Ok((total / entries) as f64 / target as f64)
    })?;
    Ok(Wanted {
        replicas,
        seen: Seen::Average { value: average },
    })
}

/// A metric of the whole, of which the ready pods each get the same share, held against `target` thousandths.
///
/// # Errors
/// No pods at all, though there should be.
pub fn by_value(
    current: i32,
    total: i64,
    target: i64,
    tolerances: Tolerances,
    pods: &[PodState],
) -> Result<Wanted, String> {
    let ratio = total as f64 / target as f64;
    let replicas = if current == 0 {
        ceiling(ratio)
    } else if tolerances.contain(ratio) {
        current
    } else if pods.is_empty() {
        return Err(
            "unable to calculate ready pods: no pods returned by selector while calculating replica count"
                .to_owned(),
        );
    } else {
        let ready = pods.iter().filter(|pod| pod.is_running_and_ready()).count();
        ceiling(ratio * ready as f64)
    };
    Ok(Wanted {
        replicas,
        seen: Seen::Total { value: total },
    })
}

/// A metric of the whole, shared by the replicas that there are, held against `target` thousandths each.
#[must_use]
pub fn by_share(status_replicas: i32, total: i64, target: i64, tolerances: Tolerances) -> Wanted {
    let ratio = total as f64 / (target as f64 * f64::from(status_replicas));
    let replicas = if tolerances.contain(ratio) {
        status_replicas
    } else {
        ceiling(total as f64 / target as f64)
    };
    let value = if total as f64 >= i64::MAX as f64 {
        i64::MAX
    } else {
        (total as f64 / f64::from(status_replicas)).ceil() as i64
    };
    Wanted {
        replicas,
        seen: Seen::Average { value },
    }
}

/// The sum of an external metric's series, at most what 64 bits hold.
#[must_use]
pub fn external_total(values: &[i64]) -> i64 {
    let mut total = 0_i64;
    for value in values {
        match total.checked_add(*value) {
            Some(sum) => total = sum,
            None if *value > 0 => return i64::MAX,
            None => return i64::MIN,
        }
    }
    total
}

fn percentage(used: i64, requested: i64) -> Result<i32, String> {
    if requested == 0 {
        return Err("no metrics returned matched known pods".to_owned());
    }
    Ok((used.wrapping_mul(100).wrapping_div(requested)) as i32)
}

fn ceiling(count: f64) -> i32 {
    count.ceil() as i32
}
