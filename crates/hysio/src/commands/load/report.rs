//! The figures, for people and for programs.

mod page;

use comfy_table::{Table, presets::ASCII_MARKDOWN};
use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::{
    drive::{Load, Outcome},
    proof::Proof,
    tally::Kind,
};

pub use page::write;

pub fn table(outcomes: &[Outcome]) -> String {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header([
        "load",
        "request",
        "per second",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "max ms",
        "errors",
        "answered well",
    ]);
    for outcome in outcomes {
        for kind in Kind::ALL {
            let row = [name(outcome.load), kind.name().into()];
            table.add_row(figures(
                row,
                outcome.tally.of(kind),
                outcome.seconds,
                [String::new(), String::new()],
            ));
        }
        let row = [name(outcome.load), "all".into()];
        table.add_row(figures(
            row,
            &outcome.tally.all(),
            outcome.seconds,
            [
                errors(outcome),
                format!("{:.3} %", 100.0 * outcome.tally.availability()),
            ],
        ));
    }
    if outcomes.iter().all(|outcome| outcome.usage.is_none()) {
        return table.to_string();
    }
    let mut used = Table::new();
    used.load_style(ASCII_MARKDOWN).set_header([
        "load",
        "app, cores",
        "PostgreSQL, cores",
        "generator, cores",
        "others, cores",
        "app's peak memory, MiB",
    ]);
    for outcome in outcomes {
        let Some(usage) = outcome.usage else { continue };
        used.add_row([
            name(outcome.load),
            format!("{:.2}", usage.app_cores),
            format!("{:.2}", usage.postgres_cores),
            format!("{:.2}", usage.generator_cores),
            format!("{:.2}", usage.other_cores),
            format!("{:.0}", usage.app_peak_mib),
        ]);
    }
    format!("{table}\n\n{used}")
}

pub fn json(clinicians: usize, outcomes: &[Outcome], proof: Option<&Proof>) -> Value {
    let runs: Vec<Value> = outcomes.iter().map(run).collect();
    json!({ "clinicians": clinicians, "runs": runs, "proof": proof })
}

fn run(outcome: &Outcome) -> Value {
    let of = |latencies: &Histogram<u64>| {
        json!({
            "answered": latencies.len(),
            "per_second": latencies.len() as f64 / outcome.seconds,
            "p50_ms": millis(latencies, 0.5),
            "p95_ms": millis(latencies, 0.95),
            "p99_ms": millis(latencies, 0.99),
            "max_ms": millis(latencies, 1.0),
        })
    };
    let kinds: serde_json::Map<String, Value> = Kind::ALL
        .into_iter()
        .map(|kind| (kind.name().replace(' ', "_"), of(outcome.tally.of(kind))))
        .collect();
    json!({
        "load": name(outcome.load),
        "seconds": outcome.seconds,
        "all": of(&outcome.tally.all()),
        "kinds": kinds,
        "errors": outcome.tally.errors(),
        "asked_again": outcome.tally.asked_again,
        "availability": outcome.tally.availability(),
        "usage": outcome.usage,
    })
}

fn name(load: Load) -> String {
    match load {
        Load::Open { per_second } => format!("{per_second}/s"),
        Load::Closed { at_once } => format!("{at_once} at once"),
    }
}

fn figures(
    [load, kind]: [String; 2],
    latencies: &Histogram<u64>,
    seconds: f64,
    [errors, well]: [String; 2],
) -> [String; 9] {
    let shown = |quantile| format!("{:.1}", millis(latencies, quantile));
    let per_second = format!("{:.0}", latencies.len() as f64 / seconds);
    [
        load,
        kind,
        per_second,
        shown(0.5),
        shown(0.95),
        shown(0.99),
        shown(1.0),
        errors,
        well,
    ]
}

fn errors(outcome: &Outcome) -> String {
    let errors = outcome.tally.errors();
    let again = outcome.tally.asked_again;
    let again = (again > 0).then(|| format!("{again} asked again"));
    let counted: Vec<String> = errors
        .iter()
        .map(|(error, count)| format!("{count} × {error}"))
        .chain(again)
        .collect();
    if counted.is_empty() {
        return "none".into();
    }
    counted.join(", ")
}

fn millis(latencies: &Histogram<u64>, quantile: f64) -> f64 {
    latencies.value_at_quantile(quantile) as f64 / 1_000.0
}
