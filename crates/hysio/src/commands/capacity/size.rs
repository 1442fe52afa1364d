//! `hysio capacity size`: from an objective to a number of replicas.

use std::{fs, path::PathBuf, str::FromStr};

use anyhow::Context as _;
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use hysio_scaling::capacity::{
    burstiness::burstiness,
    size::{Arrivals, Behaviour, Margins, Objective, Service, Sizing, size},
};
use serde::Serialize;

use crate::commands::trace::TraceArguments;

#[derive(Debug, Args)]
pub struct Command {
    /// Jobs that arrive: 12/min, 0.5/s, 700/h.
    #[arg(long)]
    rate: Rate,
    #[command(flatten)]
    service: ServiceArguments,
    /// The objective: a percentile of the time from arriving to done.
    #[arg(long, default_value = "p95<5s")]
    objective: Objective,
    /// How bursty arrivals are: the standard deviation of the times between them over their mean; 1 for independent arrivals.
    #[arg(long, default_value_t = 1.0)]
    arrival_cv: f64,
    /// Measure how bursty arrivals are from a CSV file of them instead: counts in fine steps, or one row an arrival.
    #[arg(long, value_name = "FILE", conflicts_with = "arrival_cv")]
    arrivals: Option<PathBuf>,
    /// How much more demand must be carried, in per cent.
    #[arg(long, default_value_t = 20.0, value_name = "PERCENT")]
    headroom: f64,
    /// How long a new replica takes until it is ready.
    #[arg(long, default_value = "0s", value_parser = seconds)]
    startup: f64,
    /// By how much demand may grow in a minute while one starts, in per cent.
    #[arg(long, default_value_t = 0.0, value_name = "PERCENT")]
    growth_a_minute: f64,
    /// How many replicas may be lost with the objective still met.
    #[arg(long, default_value_t = 1)]
    spare: u32,
    /// One JSON object with everything.
    #[arg(long)]
    json: bool,
}

/// How long a job takes without waiting.
#[derive(Debug, Args)]
pub struct ServiceArguments {
    /// The mean service time, such as 1.2s or 800ms.
    #[arg(long, value_parser = seconds, required_unless_present = "service_times", conflicts_with = "service_times")]
    service_mean: Option<f64>,
    /// The standard deviation of service times over their mean: 0 for a constant, 1 for the exponential distribution.
    #[arg(long, default_value_t = 1.0, conflicts_with = "service_times")]
    service_cv: f64,
    /// Measured service times in seconds, one a line.
    #[arg(long, value_name = "FILE")]
    service_times: Option<PathBuf>,
}

impl ServiceArguments {
    pub fn service(&self) -> anyhow::Result<Service> {
        let Some(file) = &self.service_times else {
            return Ok(Service::Gamma {
                mean: self.service_mean.unwrap_or_default(),
                cv: self.service_cv,
            });
        };
        let name = file.display();
        let text = fs::read_to_string(file).with_context(|| format!("read {name}"))?;
        let lines = text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty());
        let times = lines.map(|(at, line)| {
            let wrong = || format!("{name}:{}: {line:?} is no service time in seconds", at + 1);
            line.trim().parse::<f64>().with_context(wrong)
        });
        let times = times.collect::<anyhow::Result<Vec<f64>>>()?;
        Service::measured(times).map_err(|why| anyhow::anyhow!("{name}: {why}"))
    }
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    arrivals: Arrivals,
    service_mean_seconds: f64,
    service_cv: f64,
    objective: Objective,
    margins: Margins,
    sizing: &'a Sizing,
}

impl Command {
    pub fn run(self) -> anyhow::Result<()> {
        let service = self.service.service()?;
        let arrivals = Arrivals {
            rate: self.rate.0,
            variability: self.variability()?,
        };
        let margins = Margins {
            headroom: self.headroom / 100.0,
            startup_seconds: self.startup,
            growth_a_minute: self.growth_a_minute / 100.0,
            spare: self.spare,
        };
        let sizing = size(arrivals, &service, self.objective, margins)?;
        if self.json {
            let report = Report {
                arrivals,
                service_mean_seconds: service.mean(),
                service_cv: service.variability().sqrt(),
                objective: self.objective,
                margins,
                sizing: &sizing,
            };
            println!("{}", serde_json::to_string_pretty(&report)?);
        } else {
            print!("{}", self.text(&sizing));
        }
        Ok(())
    }

    /// The squared variation of the times between arrivals, as stated or as measured.
    fn variability(&self) -> anyhow::Result<f64> {
        let Some(file) = &self.arrivals else {
            return Ok(self.arrival_cv * self.arrival_cv);
        };
        let trace = TraceArguments::default().read(file)?;
        let measured = burstiness(&trace.series)
            .map_err(|why| anyhow::anyhow!("{}: {why}", file.display()))?;
        if !self.json {
            println!(
                "arrivals in steps of {}: index of dispersion {:.2} over {} pairs of steps (1 is independent arrivals)",
                trace.series.step(),
                measured.index_of_dispersion,
                measured.pairs
            );
        }
        Ok(measured.index_of_dispersion)
    }

    fn text(&self, sizing: &Sizing) -> String {
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header([
            "replicas".to_owned(),
            "busy".to_owned(),
            "jobs that wait".to_owned(),
            "mean wait".to_owned(),
            format!("within {} s", self.objective.seconds),
            "objective".to_owned(),
        ]);
        for at in &sizing.at {
            table.add_row(row(at, sizing.replicas));
        }
        for column in table.column_iter_mut().take(5) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let Sizing {
            replicas,
            for_demand,
            with_margins,
            spare,
            utilisation,
            ..
        } = sizing;
        format!(
            "{replicas} replicas: {for_demand} for the demand, {} for headroom and start-up, {spare} to spare; {:.0} % busy\n{table}\n",
            with_margins - for_demand,
            100.0 * utilisation,
        )
    }
}

fn row(at: &Behaviour, chosen: u32) -> [String; 6] {
    let mark = if at.replicas == chosen { "→ " } else { "" };
    let wait = if at.mean_wait_seconds.is_finite() {
        format!("{:.2} s", at.mean_wait_seconds)
    } else {
        "grows without end".to_owned()
    };
    [
        format!("{mark}{}", at.replicas),
        format!("{:.0} %", 100.0 * at.utilisation),
        format!("{:.1} %", 100.0 * at.waits),
        wait,
        format!("{:.2} %", 100.0 * at.within),
        if at.meets { "met" } else { "missed" }.to_owned(),
    ]
}

/// Jobs a second.
#[derive(Clone, Copy, Debug)]
struct Rate(f64);

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no rate: write 12/min, 0.5/s or 700/h");
        let (count, unit) = text.split_once('/').unwrap_or((text, "s"));
        let count: f64 = count.trim().parse().map_err(|_| wrong())?;
        let seconds = match unit.trim() {
            "s" | "sec" => 1.0,
            "m" | "min" => 60.0,
            "h" | "hour" => 3600.0,
            _ => return Err(wrong()),
        };
        Ok(Self(count / seconds))
    }
}

pub fn seconds(text: &str) -> Result<f64, String> {
    let wrong = || format!("{text:?} is no time: write 1.2s, 800ms or 2m");
    let (number, unit) = [("ms", 1e-3), ("s", 1.0), ("m", 60.0)]
        .into_iter()
        .find_map(|(unit, seconds)| Some((text.trim().strip_suffix(unit)?, seconds)))
        .unwrap_or((text.trim(), 1.0));
    let seconds = unit * number.trim().parse::<f64>().map_err(|_| wrong())?;
    if seconds.is_finite() && seconds >= 0.0 {
        Ok(seconds)
    } else {
        Err(wrong())
    }
}
