//! The report of a replay: what was needed and what was there, sets of policies side by side, and what tuning found.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::Context as _;
use hysio_control::replay::{
    tune::{Advice, Misses},
    world::TICK_SECONDS,
};

use super::{
    chart::{BLUE, Chart, GREEN, GREY, ORANGE, SKY, Shape},
    charts::layer,
    document, escape, section, tables,
};
use crate::commands::{
    capacity::words,
    replay::{Row, SCORES, Stage},
    simulate::Tuned,
};

/// Days that are drawn: more would be too fine to see.
const DAYS_DRAWN: usize = 4;
/// Places of a line: about one for each two pixels.
const PLACES: usize = 384;

pub struct Replayed<'a> {
    pub source: String,
    pub stage: &'a Stage,
    pub rows: &'a [Row],
    pub tuned: Option<&'a Tuned>,
}

impl Replayed<'_> {
    pub fn write(&self, file: &Path) -> anyhow::Result<()> {
        fs::write(file, self.render()).with_context(|| format!("write {}", file.display()))
    }

    fn render(&self) -> String {
        let mut body = self.head();
        body += &section("compared", "Policies compared", &self.compared());
        if let Some(tuned) = self.tuned {
            body += &section("tuning", "Better numbers", &self.tuning(tuned));
        }
        let courses: String = self
            .rows
            .iter()
            .map(|row| self.course(row).render(""))
            .collect();
        body += &section("course", "What was needed and what was there", &courses);
        body += &section("scores", "All scores", &self.scores());
        document(&format!("Policies replayed: {}", self.source), &body)
    }

    fn head(&self) -> String {
        let series = &self.stage.series;
        let (from, to) = (
            series.local_time(0).date(),
            series.local_time(series.len().saturating_sub(1)).date(),
        );
        let held_out = if self.tuned.is_some() {
            ", the days that were held out"
        } else {
            ""
        };
        let oracle = self
            .stage
            .needed
            .iter()
            .map(|it| f64::from(*it))
            .sum::<f64>()
            / self.stage.needed.len().max(1) as f64;
        let figures = [
            ("replayed", self.stage.days()),
            ("needed on average", format!("{oracle:.1} replicas")),
            ("needed at most", format!("{} replicas", self.stage.peak())),
            (
                "a new replica takes",
                format!("{:.0} s", self.stage.settings.startup_seconds),
            ),
        ];
        let mut cards = String::new();
        for (name, value) in figures {
            let _ = write!(
                cards,
                "<div><dt>{name}</dt><dd>{}</dd></div>",
                escape(&value)
            );
        }
        format!(
            "<header><h1>Policies replayed</h1><p>{}, {from} to {to}{held_out}: the same decisions as in production, in a simulated world.</p><dl class=\"figures\">{cards}</dl></header>\n",
            escape(&self.source)
        )
    }

    fn compared(&self) -> String {
        let mut out = String::from("<ul>");
        for row in self.rows {
            let _ = write!(
                out,
                "<li><strong>{}</strong>: {:.2} % of jobs late, {:.0} replica hours ({:+.0} % over what was needed), {:.1} changes a day.</li>",
                escape(&row.policies),
                row.score.late_jobs,
                row.score.replica_hours,
                100.0 * (row.score.against_oracle - 1.0),
                row.score.actions_a_day
            );
        }
        out += "</ul>";
        let bars = |title: &str, unit: &str, colour, of: fn(&Row) -> f64| {
            let values: Vec<f64> = self.rows.iter().map(of).collect();
            Chart {
                title: title.to_owned(),
                unit: unit.to_owned(),
                summary: format!("{} sets of policies", self.rows.len()),
                places: self.rows.iter().map(|row| row.policies.clone()).collect(),
                ticks: self
                    .rows
                    .iter()
                    .enumerate()
                    .map(|(at, row)| (at, short(&row.policies)))
                    .collect(),
                layers: vec![layer(
                    title,
                    colour,
                    Shape::Bars {
                        values,
                        marked: Vec::new(),
                    },
                )],
            }
            .render("")
        };
        out += &bars("Late jobs", "% of all", ORANGE, |row| row.score.late_jobs);
        out += &bars(
            "Under-provisioning θ_U",
            "% of what was needed",
            ORANGE,
            |row| row.score.elasticity.under_accuracy,
        );
        out += &bars("Cost", "replica hours", SKY, |row| row.score.replica_hours);
        out + &bars("Changes", "a day", GREY, |row| row.score.actions_a_day)
    }

    fn course(&self, row: &Row) -> Chart {
        let course = &row.run.course;
        let drawn = (DAYS_DRAWN as f64 * 86_400.0 / TICK_SECONDS) as usize;
        let begin = course.supply.len().saturating_sub(drawn);
        let each = (course.supply.len() - begin).div_ceil(PLACES).max(1);
        let means = |values: &[u32]| -> Vec<f64> {
            let chunks = values[begin..].chunks(each);
            chunks
                .map(|it| it.iter().map(|it| f64::from(*it)).sum::<f64>() / it.len() as f64)
                .collect()
        };
        let supply = means(&course.supply);
        let name = |at: usize| {
            let seconds = (begin + at * each) as f64 * TICK_SECONDS;
            let step = (seconds / self.stage.demand.step_seconds) as usize;
            let time = self
                .stage
                .series
                .local_time(step.min(self.stage.series.len() - 1));
            time.strftime("%a %d %b %H:%M").to_string()
        };
        let every = supply.len().div_ceil(6).max(1);
        Chart {
            title: row.policies.clone(),
            unit: "replicas".to_owned(),
            summary: format!(
                "{:.1} % of the time something was missing",
                row.score.elasticity.under_time
            ),
            places: (0..supply.len()).map(name).collect(),
            ticks: (0..supply.len())
                .step_by(every)
                .skip(1)
                .map(|at| (at, name(at)))
                .collect(),
            layers: vec![
                layer("ready", GREEN, Shape::Steps { values: supply }),
                layer(
                    "needed",
                    BLUE,
                    Shape::Line {
                        values: means(&course.need),
                        dashed: false,
                    },
                ),
            ],
        }
    }

    fn tuning(&self, tuned: &Tuned) -> String {
        let miss = |score: &hysio_control::replay::score::Score| tuned.misses.of(score);
        let what = match tuned.misses {
            Misses::LateJobs => "late jobs, %",
            Misses::UnderProvisioning => "under-provisioning θ_U, %",
        };
        let mut out = format!(
            "<p>{} settings of {} numbers in the policies' files were replayed on the days to learn from.</p>",
            tuned.replays,
            tuned.knobs.len()
        );
        let hours = |at: usize| words::amount(tuned.front[at].score.replica_hours);
        let every = tuned.front.len().div_ceil(10).max(1);
        let chart = Chart {
            title: "What no other setting beats".to_owned(),
            unit: format!("{what}, by replica hours"),
            summary: format!("{} settings", tuned.front.len()),
            places: (0..tuned.front.len()).map(hours).collect(),
            ticks: (0..tuned.front.len())
                .step_by(every)
                .map(|at| (at, hours(at)))
                .collect(),
            layers: vec![
                layer(
                    "settings, from cheap to dear",
                    SKY,
                    Shape::Bars {
                        values: tuned.front.iter().map(|it| miss(&it.score)).collect(),
                        marked: Vec::new(),
                    },
                ),
                layer(
                    &format!(
                        "as stated: {:.2} at {} replica hours",
                        miss(&tuned.stated.score),
                        words::amount(tuned.stated.score.replica_hours)
                    ),
                    ORANGE,
                    Shape::Rule(miss(&tuned.stated.score)),
                ),
            ],
        };
        out += &chart.render("");
        match &tuned.advice {
            Advice::Keep { why } => {
                let _ = write!(out, "<p>Nothing is recommended: {}.</p>", escape(why));
            }
            Advice::Take { values, .. } => {
                let rows = tuned.changes(values).map(|(knob, value)| {
                    let place = format!("{}:{}", knob.file, knob.line);
                    (
                        place,
                        vec![knob.key.clone(), knob.value.to_string(), value.to_string()],
                    )
                });
                out += &tables::table(
                    "Recommended, as it wins on the held-out days too",
                    &["file and line", "number", "stated", "recommended"],
                    rows,
                );
            }
        }
        out
    }

    fn scores(&self) -> String {
        let head: Vec<&str> = std::iter::once("")
            .chain(self.rows.iter().map(|row| row.policies.as_str()))
            .collect();
        let rows = SCORES.iter().map(|(name, of)| {
            let cells: Vec<String> = self.rows.iter().map(of).collect();
            ((*name).to_owned(), cells)
        });
        tables::table("One column for each set of policies", &head, rows)
    }
}

/// The last part of a path.
fn short(name: &str) -> String {
    name.rsplit('/').next().unwrap_or(name).to_owned()
}
