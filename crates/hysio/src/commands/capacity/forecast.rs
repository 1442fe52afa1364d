//! `hysio capacity forecast`: what the next days and months take, and what they cost.

use std::{collections::BTreeMap, path::PathBuf};

use clap::{Args, ValueEnum};
use comfy_table::{CellAlignment, Table, presets};
use hysio_scaling::capacity::{
    analysis::{Analysis, analyse},
    outlook::{Long, Settings, Short, long, short},
    pattern::Thresholds,
};
use serde::Serialize;

use super::{cost::PriceArguments, html, pdf, words};
use crate::commands::trace::{Source, say_notes};

#[derive(Debug, Args)]
pub struct Command {
    #[command(flatten)]
    source: Source,
    /// How much demand one instance carries, in the unit of the trace (sessions, or arrivals a step).
    #[arg(long, default_value_t = 100.0, value_name = "AMOUNT")]
    per_instance: f64,
    /// Instances that always run.
    #[arg(long, default_value_t = 3, value_name = "COUNT")]
    least: u32,
    /// Which demand is carried.
    #[arg(long, value_enum, default_value = "p95")]
    carry: Carry,
    /// How many months ahead.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=36))]
    months: u32,
    /// Warn of months that cost more.
    #[arg(long, value_name = "AMOUNT")]
    budget: Option<f64>,
    /// Warn of more instances than the provider allows.
    #[arg(long, value_name = "COUNT")]
    quota: Option<u32>,
    #[command(flatten)]
    prices: PriceArguments,
    /// Write a report with charts into this file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the report's tables as PDF into this file.
    #[arg(long, value_name = "FILE")]
    pdf: Option<PathBuf>,
    /// One JSON object with everything.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Carry {
    P50,
    P95,
    P99,
}

/// Everything about the days and months ahead.
#[derive(Debug, Serialize)]
pub struct Outlook {
    pub short: Option<Short>,
    /// Why there is no short forecast.
    pub no_short: Option<String>,
    pub long: Long,
    /// What each facility or specialty bears of the year's cost.
    pub shares: BTreeMap<String, f64>,
    #[serde(skip)]
    pub settings: Settings,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    source: String,
    trace: &'a hysio_scaling::trace::Report,
    analysis: &'a Analysis,
    outlook: &'a Outlook,
}

impl Command {
    pub fn run(self) -> anyhow::Result<()> {
        let settings = self.settings()?;
        let trace = self.source.load()?;
        let outlook = self.outlook(&trace.series, settings)?;
        let analysis = analyse(&trace.series, Thresholds::default());
        if let Some(file) = &self.html {
            let page = html::Page {
                source: self.source.name(),
                trace: &trace,
                analysis: &analysis,
                outlook: Some(&outlook),
            };
            page.write(file)?;
        }
        if let Some(file) = &self.pdf {
            let paper = pdf::Paper {
                source: self.source.name(),
                trace: &trace,
                analysis: &analysis,
                outlook: &outlook,
            };
            paper.write(file)?;
        }
        if self.json {
            let report = Report {
                source: self.source.name(),
                trace: &trace.report,
                analysis: &analysis,
                outlook: &outlook,
            };
            println!("{}", serde_json::to_string_pretty(&report)?);
        } else {
            say_notes(&trace);
            print!("{}", text(&outlook));
        }
        Ok(())
    }

    fn settings(&self) -> anyhow::Result<Settings> {
        anyhow::ensure!(self.per_instance > 0.0, "--per-instance must be above 0");
        Ok(Settings {
            per_instance: self.per_instance,
            least: self.least,
            level: match self.carry {
                Carry::P50 => 1,
                Carry::P95 => 2,
                Carry::P99 => 3,
            },
            prices: self.prices.prices()?,
            budget: self.budget,
            quota: self.quota,
            holidays: self.source.arguments.holidays,
        })
    }

    fn outlook(
        &self,
        series: &hysio_scaling::series::Series,
        settings: Settings,
    ) -> anyhow::Result<Outlook> {
        let progress = crate::commands::trace::spinner("comparing models");
        let (short, no_short) = match short(series, &settings) {
            Ok(short) => (Some(short), None),
            Err(why) => (None, Some(why)),
        };
        let long = long(series, self.months as usize, &settings).map_err(anyhow::Error::msg)?;
        progress.finish_and_clear();
        let shares = self.prices.shares(long.total_cost);
        Ok(Outlook {
            short,
            no_short,
            long,
            shares,
            settings,
        })
    }
}

fn text(outlook: &Outlook) -> String {
    let mut out = String::new();
    match (&outlook.short, &outlook.no_short) {
        (Some(short), _) => out += &days(short, outlook),
        (None, why) => {
            out += &format!(
                "no forecast for the days ahead: {}\n",
                why.as_deref().unwrap_or_default()
            );
        }
    }
    out += &months(&outlook.long, &outlook.settings);
    for (name, amount) in &outlook.shares {
        out += &format!(
            "{name} bears {amount:.2} {}\n",
            outlook.settings.prices.currency
        );
    }
    out
}

fn days(short: &Short, outlook: &Outlook) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header([
        "from",
        "P50",
        "P95",
        "P99",
        "instances",
    ]);
    // Six rows a day are enough to see the day; the report and --json have them all.
    let every = (short.points.len() / 14).max(1);
    for block in short.points.chunks(every) {
        let most = |of: fn(&hysio_scaling::forecast::Ahead) -> f64| {
            block.iter().map(|it| of(&it.demand)).fold(0.0, f64::max)
        };
        table.add_row([
            block[0].at.strftime("%a %d %b %H:%M").to_string(),
            words::amount(most(hysio_scaling::forecast::Ahead::p50)),
            words::amount(most(hysio_scaling::forecast::Ahead::p95)),
            words::amount(most(hysio_scaling::forecast::Ahead::p99)),
            block
                .iter()
                .map(|it| it.instances)
                .max()
                .unwrap_or(0)
                .to_string(),
        ]);
    }
    right(&mut table, 1);
    let currency = &outlook.settings.prices.currency;
    let warnings: String = short
        .warnings
        .iter()
        .map(|it| format!("warning: {it}\n"))
        .collect();
    format!(
        "The days ahead, the most in every {every} steps of {}. {}\n{table}\nat most {} instances; {:.0} {currency} when they follow the forecast, {:.0} when that many always run\n{warnings}\n",
        short.step,
        words::choice(&short.choice),
        short.most_instances,
        short.cost_followed,
        short.cost_at_peak,
    )
}

fn months(long: &Long, settings: &Settings) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header([
        "month",
        "P50",
        "P95",
        "busy hours",
        "instances",
        "cost",
    ]);
    for month in &long.months {
        table.add_row([
            month.month.strftime("%b %Y").to_string(),
            words::amount(month.demand.p50()),
            words::amount(month.demand.p95()),
            words::amount(month.peak),
            month.instances.to_string(),
            words::amount(month.cost),
        ]);
    }
    right(&mut table, 1);
    let model = long
        .choice
        .as_ref()
        .map_or("No model is used".to_owned(), words::choice);
    let growth = words::growth(long).map_or("growth: not known".to_owned(), |growth| {
        format!("growth: {growth}")
    });
    let lines: String = long
        .unknown
        .iter()
        .map(|it| format!("not known: {it}\n"))
        .chain(long.warnings.iter().map(|it| format!("warning: {it}\n")))
        .collect();
    format!(
        "The months ahead, mean demand a step. {model}\n{table}\n{growth}; busy hours are ×{:.2} of the mean; {} {} in all\n{lines}",
        long.peak_factor,
        words::amount(long.total_cost),
        settings.prices.currency,
    )
}

fn right(table: &mut Table, from: usize) {
    for column in table.column_iter_mut().skip(from) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}
