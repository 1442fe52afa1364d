//! What forecasts begin with: demand that was measured before there were any. Without it, one would be silent for its first days.

use hysio_control::{ports::Away, tick::DecisionLog as _};
use hysio_scaling::{forecast::policy::Policy, policies::Policies};
use jiff::tz::TimeZone;

use super::store::{Decisions, json};
use crate::measured::{self, Asked};

impl Decisions {
    /// Gives forecasts that remember nothing what was measured of their signals. How many of them have something to go on with now.
    ///
    /// # Errors
    /// When the database is away: nothing was learnt then.
    pub async fn learn(&self, policies: &Policies) -> Result<usize, Away> {
        let mut history = self.history().await?;
        let known = self.db.measured().await?;
        let mut learnt = 0;
        let new: Vec<Policy> = policies.without_memory(&history).cloned().collect();
        let measured = new
            .iter()
            .filter(|policy| known.iter().any(|series| series == policy.signal()));
        for policy in measured {
            let asked = Asked {
                series: policy.signal(),
                since: policy.looks_back(),
                step: policy.step(),
                zone: TimeZone::UTC,
            };
            match measured::load(&self.db, asked).await {
                Ok(trace) => {
                    let memory = policy.remembering(&trace.series);
                    history.forecast.insert(policy.name(), memory);
                    learnt += 1;
                }
                Err(why) => away(why)?,
            }
        }
        if learnt > 0 {
            self.db.store_history(&json(&history)?).await?;
        }
        Ok(learnt)
    }
}

/// A signal that was hardly measured yet is nothing to learn from, and no failure.
fn away(why: anyhow::Error) -> Result<(), Away> {
    match why.downcast::<hysio_infra::postgres::Error>() {
        Ok(error) => Err(error.into()),
        Err(_) => Ok(()),
    }
}
