//! Which model to believe: each is scored on rolling origins of the same history, and one that loses to the seasonal naive is
//! switched off.

use serde::Serialize;

use super::{
    Holidays, Model, Score, Unfit,
    backtest::{Plan, backtest},
};
use crate::series::Series;

/// How many origins are enough to tell models apart.
pub const ORIGINS: usize = 24;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    pub model: Model,
    /// `None` where it can't be used, and why.
    pub score: Option<Score>,
    pub unfit: Option<String>,
    /// It lost to the seasonal naive, so it is not used.
    pub switched_off: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Choice {
    pub chosen: Model,
    /// The origins on which the models were compared; none when the history is too short for that.
    pub plan: Option<Plan>,
    pub candidates: Vec<Candidate>,
}

impl Choice {
    /// Compares the models for forecasts of so many steps. `window` is how much history each may see.
    #[must_use]
    pub fn make(series: &Series, window: usize, horizon: usize, holidays: Holidays) -> Self {
        let plan = Plan::fit(series.len(), window, horizon, ORIGINS).ok();
        let score = |model| plan.map(|plan| backtest(series, model, plan, holidays));
        let scored = Model::ALL.map(|model| (model, score(model)));
        let loss = |scored: &Option<Result<Score, Unfit>>| match scored {
            Some(Ok(score)) => Some(score.loss()),
            _ => None,
        };
        let naive = scored
            .iter()
            .find(|(model, _)| *model == Model::SeasonalNaive)
            .and_then(|(_, it)| loss(it));
        let candidates = scored.map(|(model, scored)| Candidate {
            model,
            switched_off: loss(&scored)
                .zip(naive)
                .is_some_and(|(loss, naive)| loss > naive),
            score: scored.clone().and_then(Result::ok),
            unfit: scored.and_then(Result::err).map(|why| why.to_string()),
        });
        Self {
            chosen: winner(&candidates),
            plan,
            candidates: candidates.to_vec(),
        }
    }
}

/// The least loss; the first where nothing could be scored.
fn winner(candidates: &[Candidate]) -> Model {
    let scored = candidates
        .iter()
        .filter_map(|it| Some((it.score?.loss(), it.model)));
    scored
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .map_or(Model::FourierRegression, |(_, model)| model)
}
