//! A page with charts of each load over time.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::Context as _;

use super::{Outcome, Proof, name, table};
use crate::commands::capacity::html::{
    STYLE,
    chart::{BLUE, Chart, Layer, ORANGE, Shape, VERMILLION},
    escape,
};

/// Writes one file that needs nothing else.
pub fn write(
    file: &Path,
    clinicians: usize,
    outcomes: &[Outcome],
    proof: Option<&Proof>,
) -> anyhow::Result<()> {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Hysio under load</title><style>{STYLE}</style></head><body><main>\n<h1>Hysio under load</h1>\n\
         <p>{clinicians} clinicians who are signed in. A latency is counted from when a request was due.</p>\n"
    );
    if let Some(proof) = proof {
        writeln!(
            page,
            "<p><strong>Proof:</strong> {}.</p>",
            escape(&proof.to_string())
        )?;
    }
    for outcome in outcomes {
        let title = name(outcome.load);
        writeln!(page, "<section><h2>{}</h2>", escape(&title))?;
        let well = 100.0 * outcome.tally.availability();
        page.push_str(&latencies(outcome).render(&format!("{well:.3} % were answered well.")));
        page.push_str(&requests(outcome).render("Requests by the second in which they were due."));
        page.push_str("</section>\n");
    }
    writeln!(
        page,
        "<h2>Figures</h2><pre style=\"overflow-x:auto;font-size:.8rem\">{}</pre></main></body></html>",
        escape(&table(outcomes))
    )?;
    fs::write(file, page).with_context(|| format!("{} cannot be written", file.display()))
}

fn latencies(outcome: &Outcome) -> Chart {
    let quantile = |share: f64| -> Vec<f64> {
        let seconds = outcome.tally.seconds().iter();
        seconds
            .map(|second| second.latencies.value_at_quantile(share) as f64 / 1_000.0)
            .collect()
    };
    let line = |name: &str, colour, share| Layer {
        name: name.to_owned(),
        colour,
        shape: Shape::Line {
            values: quantile(share),
            dashed: false,
        },
    };
    chart(
        outcome,
        "Latency",
        "milliseconds",
        vec![
            line("p99", VERMILLION, 0.99),
            line("p95", ORANGE, 0.95),
            line("p50", BLUE, 0.5),
        ],
    )
}

fn requests(outcome: &Outcome) -> Chart {
    let seconds = outcome.tally.seconds();
    let line = |name: &str, colour, values| Layer {
        name: name.to_owned(),
        colour,
        shape: Shape::Line {
            values,
            dashed: false,
        },
    };
    let answered = seconds.iter().map(|second| second.latencies.len() as f64);
    let failed = seconds.iter().map(|second| second.errors as f64);
    chart(
        outcome,
        "Requests",
        "a second",
        vec![
            line("answered", BLUE, answered.collect()),
            line("failed", VERMILLION, failed.collect()),
        ],
    )
}

fn chart(outcome: &Outcome, title: &str, unit: &str, layers: Vec<Layer>) -> Chart {
    let seconds = outcome.tally.seconds().len();
    let step = (seconds / 10).max(1);
    Chart {
        title: title.to_owned(),
        unit: unit.to_owned(),
        summary: format!("{title} over {seconds} seconds, {unit}."),
        places: (0..seconds)
            .map(|second| format!("second {second}"))
            .collect(),
        ticks: (0..seconds)
            .step_by(step)
            .map(|second| (second, format!("{second} s")))
            .collect(),
        layers,
    }
}
