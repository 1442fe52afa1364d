//! What forecasts begin with: demand that was measured before there were any. Without it, one would be silent for its first days.

use hysio_control::{ports::Away, tick::DecisionLog as _};
use hysio_scaling::policies::Policies;
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
        for policy in policies
            .without_memory(&history)
            .cloned()
            .collect::<Vec<_>>()
        {
            if !known.iter().any(|series| series == policy.signal()) {
                continue;
            }
            let asked = Asked {
                series: policy.signal(),
                since: policy.looks_back(),
                step: policy.step(),
                zone: TimeZone::UTC,
            };
            // What was hardly measured yet is nothing to learn from.
            let Ok(trace) = measured::load(&self.db, asked).await else {
                continue;
            };
            let memory = policy.remembering(&trace.series);
            history.forecast.insert(policy.name(), memory);
            learnt += 1;
        }
        if learnt > 0 {
            self.db.store_history(&json(&history)?).await?;
        }
        Ok(learnt)
    }
}
