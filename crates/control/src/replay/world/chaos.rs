//! What can go wrong, and when.

use serde::{Deserialize, Serialize};

/// Something that holds from one tick for so many.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chaos {
    pub from: u32,
    pub ticks: u32,
    pub kind: Kind,
}

impl Chaos {
    #[must_use]
    pub fn holds(&self, tick: u32) -> bool {
        (self.from..self.from.saturating_add(self.ticks)).contains(&tick)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Policies see no metric.
    MetricOutage,
    /// Starts take so many times as long.
    SlowStarts(f64),
    /// No more replicas than this are to be had.
    QuotaHit(u32),
    /// This share of the replicas is gone at once, and comes back only by starting others.
    LostZone(f64),
    /// So many times the demand: a pandemic is 3. It is part of the demand, not of the world: see `Demand::under`.
    Surge(f64),
}

/// All that is wrong at one tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trouble {
    pub no_metrics: bool,
    pub startup: f64,
    pub quota: u32,
    /// The share of replicas that is lost at this tick.
    pub lost_share: f64,
}

pub(super) fn now(chaos: &[Chaos], tick: u32) -> Trouble {
    let mut trouble = Trouble {
        no_metrics: false,
        startup: 1.0,
        quota: u32::MAX,
        lost_share: 0.0,
    };
    for it in chaos.iter().filter(|it| it.holds(tick)) {
        match it.kind {
            Kind::MetricOutage => trouble.no_metrics = true,
            Kind::SlowStarts(factor) => trouble.startup *= factor,
            Kind::QuotaHit(most) => trouble.quota = trouble.quota.min(most),
            Kind::LostZone(share) if tick == it.from => trouble.lost_share = share,
            Kind::LostZone(_) | Kind::Surge(_) => {}
        }
    }
    trouble
}
