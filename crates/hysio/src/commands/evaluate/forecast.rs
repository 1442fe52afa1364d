//! `hysio evaluate forecast`: forecasts that would have been made at rolling origins of a trace, held against what came.

use std::{path::PathBuf, time::Instant};

use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use hysio_scaling::{
    forecast::{
        Model, Score,
        backtest::{Plan, Tally},
    },
    series::{HOUR, Series, Step},
};
use serde::Serialize;

use crate::commands::trace::{TraceArguments, bar, say_notes};

#[derive(Debug, Args)]
pub struct Command {
    /// A CSV file with a time and a value in each row; `-` is standard input.
    trace: PathBuf,
    /// How much history each forecast may see.
    #[arg(long, default_value = "8w")]
    window: Step,
    /// How far ahead.
    #[arg(long, default_value = "48h")]
    horizon: Step,
    /// How many forecasts, spread evenly over the trace.
    #[arg(long, default_value_t = 121)]
    origins: usize,
    /// The step of the forecasts; hours for finer traces, else that of the trace.
    #[arg(long)]
    at: Option<Step>,
    /// One JSON object with everything.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    arguments: TraceArguments,
}

#[derive(Debug, Serialize)]
struct Report {
    trace: String,
    step: String,
    steps: usize,
    plan: Plan,
    models: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    model: Model,
    score: Option<Score>,
    /// Why the model can't be used on this trace.
    unfit: Option<String>,
    milliseconds_a_fit: f64,
    beats_seasonal_naive: Option<bool>,
}

impl Command {
    pub fn run(self) -> anyhow::Result<()> {
        let trace = self.arguments.read(&self.trace)?;
        if !self.json {
            say_notes(&trace);
        }
        let series = self.in_steps(&trace.series);
        let steps = |length: Step| series.step().count_in(length.days());
        let plan = Plan::fit(series.len(), steps(self.window), steps(self.horizon), self.origins).map_err(|_| {
            anyhow::anyhow!(
                "{}: it spans {} steps of {}, and --window {} with --horizon {} need {}: shorten one of them",
                self.trace.display(),
                series.len(),
                series.step(),
                self.window,
                self.horizon,
                steps(self.window) + steps(self.horizon),
            )
        })?;
        let report = Report {
            trace: self.trace.display().to_string(),
            step: series.step().to_string(),
            steps: series.len(),
            plan,
            models: self.measure(&series, plan),
        };
        if self.json {
            println!("{}", serde_json::to_string_pretty(&report)?);
        } else {
            print!("{}", report.table());
        }
        Ok(())
    }

    fn in_steps(&self, series: &Series) -> Series {
        let step = self.at.unwrap_or(if series.step().days() < HOUR.days() {
            HOUR
        } else {
            series.step()
        });
        series.in_steps_of(step)
    }

    fn measure(&self, series: &Series, plan: Plan) -> Vec<Row> {
        let progress = bar((plan.origins * Model::ALL.len()) as u64, "forecasting");
        let mut rows: Vec<Row> = Vec::new();
        for model in Model::ALL {
            let (mut tally, mut unfit) = (Tally::default(), None);
            let started = Instant::now();
            for end in plan.ends(series.len()) {
                progress.inc(1);
                if let Err(why) =
                    tally.add_origin(series, model, plan, end, self.arguments.holidays)
                {
                    unfit = Some(why.to_string());
                    break;
                }
            }
            let milliseconds = 1e3 * started.elapsed().as_secs_f64() / plan.origins as f64;
            rows.push(Row {
                model,
                score: unfit.is_none().then(|| tally.score()),
                unfit,
                milliseconds_a_fit: milliseconds,
                beats_seasonal_naive: None,
            });
        }
        progress.finish_and_clear();
        let naive = rows
            .iter()
            .find(|row| row.model == Model::SeasonalNaive)
            .and_then(|row| row.score);
        for row in rows
            .iter_mut()
            .filter(|row| row.model != Model::SeasonalNaive)
        {
            row.beats_seasonal_naive = row
                .score
                .zip(naive)
                .map(|(ours, naive)| ours.loss() < naive.loss());
        }
        rows
    }
}

impl Report {
    fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header([
            "model",
            "WAPE",
            "pinball P95",
            "at or below P95",
            "ms a fit",
            "against naive",
        ]);
        for row in &self.models {
            let verdict = match (row.model, row.beats_seasonal_naive) {
                (Model::SeasonalNaive, _) => "is it",
                (_, Some(true)) => "better",
                (_, Some(false)) => "worse: switched off",
                (_, None) => "",
            };
            let [wape, pinball, coverage] = match (&row.score, &row.unfit) {
                (Some(score), _) => [
                    format!("{:.2} %", 100.0 * score.wape),
                    significant(score.pinball95),
                    format!("{:.1} %", 100.0 * score.coverage95),
                ],
                (None, why) => [
                    why.clone().unwrap_or_default(),
                    String::new(),
                    String::new(),
                ],
            };
            table.add_row([
                row.model.to_string(),
                wape,
                pinball,
                coverage,
                format!("{:.3}", row.milliseconds_a_fit),
                verdict.to_owned(),
            ]);
        }
        for column in table.column_iter_mut().skip(1).take(4) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let Plan {
            window,
            horizon,
            origins,
            every,
        } = self.plan;
        format!(
            "{table}\n{origins} origins, one every {every} steps of {}; each sees {window} steps and forecasts {horizon}\n",
            self.step
        )
    }
}

/// Three decimals for small amounts, none for large ones.
fn significant(value: f64) -> String {
    let decimals = if value < 10.0 {
        3
    } else if value < 1000.0 {
        1
    } else {
        0
    };
    format!("{value:.decimals$}")
}
