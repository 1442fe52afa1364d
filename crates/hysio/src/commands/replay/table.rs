//! Scores as people read them: one column for each set of policies.

use comfy_table::{CellAlignment, Table, presets};

use super::Row;

/// A score's name, and how it is written.
type Written = (&'static str, fn(&Row) -> String);

pub const SCORES: [Written; 18] = [
    ("late jobs", |it| percent(it.score.late_jobs)),
    ("longest wait", |it| seconds(it.totals.longest_wait_seconds)),
    ("load over capacity, time", |it| {
        percent(it.score.over_capacity_time)
    }),
    ("load over capacity, work", |it| {
        percent(it.score.over_capacity_work)
    }),
    ("under-provisioning θ_U", |it| {
        percent(it.score.elasticity.under_accuracy)
    }),
    ("… of the time τ_U", |it| {
        percent(it.score.elasticity.under_time)
    }),
    ("over-provisioning θ_O", |it| {
        percent(it.score.elasticity.over_accuracy)
    }),
    ("… of the time τ_O", |it| {
        percent(it.score.elasticity.over_time)
    }),
    ("instability υ", |it| {
        percent(it.score.elasticity.instability)
    }),
    ("jitter an hour", |it| {
        format!("{:+.2}", it.score.elasticity.jitter)
    }),
    ("elastic speed-up", |it| {
        format!("{:.2}", it.elastic_speedup)
    }),
    ("replica hours", |it| {
        format!("{:.1}", it.score.replica_hours)
    }),
    ("… over the oracle's", |it| {
        format!("×{:.3}", it.score.against_oracle)
    }),
    ("actions a day", |it| {
        format!("{:.1}", it.score.actions_a_day)
    }),
    ("recovery, mean", |it| seconds(it.score.recovery_seconds)),
    ("recovery, longest", |it| {
        seconds(it.score.longest_recovery_seconds)
    }),
    ("failures", |it| it.totals.failures.to_string()),
    ("refused by quota", |it| it.totals.refused.to_string()),
];

pub fn scores(rows: &[Row]) -> String {
    let mut table = Table::new();
    let head = std::iter::once(String::new()).chain(rows.iter().map(|row| row.policies.clone()));
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_header(head);
    for (name, score) in SCORES {
        let cells = std::iter::once(name.to_owned()).chain(rows.iter().map(score));
        table.add_row(cells);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("{table}\n")
}

pub fn percent(value: f64) -> String {
    format!("{value:.2} %")
}

fn seconds(value: f64) -> String {
    if value < 120.0 {
        format!("{value:.0} s")
    } else {
        format!("{:.1} min", value / 60.0)
    }
}
