//! `hysio capacity analyse`: the shape of day, week and year, and what its peaks take.

use std::path::PathBuf;

use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use hysio_scaling::capacity::{
    analysis::{Analysis, analyse},
    pattern::{Cycle, Pattern, Thresholds},
};
use serde::Serialize;

use super::{html, words};
use crate::commands::trace::{Source, say_notes};

#[derive(Debug, Args)]
pub struct Command {
    #[command(flatten)]
    source: Source,
    /// From which percentile of the hours on an hour is a peak.
    #[arg(long, default_value_t = 80.0, value_name = "PERCENT")]
    peak_hours: f64,
    /// From which percentile of the months on a month has a high volume.
    #[arg(long, default_value_t = 70.0, value_name = "PERCENT")]
    high_months: f64,
    /// Write a report with charts into this file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// One JSON object with everything.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    source: String,
    trace: &'a hysio_scaling::trace::Report,
    analysis: &'a Analysis,
}

impl Command {
    pub fn run(self) -> anyhow::Result<()> {
        let trace = self.source.load()?;
        let thresholds = Thresholds {
            hours: self.peak_hours / 100.0,
            months: self.high_months / 100.0,
            ..Thresholds::default()
        };
        let analysis = analyse(&trace.series, thresholds);
        if let Some(file) = &self.html {
            let page = html::Page {
                source: self.source.name(),
                trace: &trace,
                analysis: &analysis,
                outlook: None,
            };
            page.write(file)?;
        }
        if self.json {
            let report = Report {
                source: self.source.name(),
                trace: &trace.report,
                analysis: &analysis,
            };
            println!("{}", serde_json::to_string_pretty(&report)?);
        } else {
            say_notes(&trace);
            print!("{}", text(&analysis));
        }
        Ok(())
    }
}

/// The findings as people read them.
fn text(analysis: &Analysis) -> String {
    let mut out = format!(
        "{:.0} days in steps of {}: mean {}, highest {}\n",
        analysis.span_days,
        analysis.step,
        words::amount(analysis.mean),
        words::amount(analysis.peak)
    );
    for pattern in [&analysis.day, &analysis.week, &analysis.year] {
        out += &format!("{}\n", finding(pattern));
    }
    if let Some(season) = &analysis.high_season {
        out += &format!("{}\n", words::season(season));
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header([
        "resource",
        "base",
        "peak hours",
        "peak hours in season",
    ]);
    for it in &analysis.recommended {
        table.add_row([
            it.resource.to_string(),
            it.base.to_string(),
            it.peak.to_string(),
            it.peak_in_season.to_string(),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    out + &format!("{table}\n")
}

/// One line about a cycle.
pub fn finding(pattern: &Pattern) -> String {
    let (name, peaks) = match pattern.cycle {
        Cycle::Day => ("day", "peak hours"),
        Cycle::Week => ("week", "busiest days"),
        Cycle::Year => ("year", "high-volume months"),
    };
    if let Some(why) = &pattern.unknown {
        return format!("{name}: can't be known, as {why}");
    }
    let p = pattern.p_value.unwrap_or(1.0);
    if !pattern.is_real {
        return format!(
            "{name}: flat; what differs may be noise (p = {p:.3}, {} seen)",
            pattern.cycles
        );
    }
    let peaks_found = if pattern.peaks.is_empty() {
        "none stands out alone".to_owned()
    } else {
        words::slots(pattern.cycle, &pattern.peaks)
    };
    format!(
        "{name}: {peaks} {peaks_found}; up to ×{:.2} of the mean (p = {p:.3}, {} seen)",
        pattern.multiplier, pattern.cycles
    )
}
