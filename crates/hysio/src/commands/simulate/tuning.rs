//! `hysio simulate --tune`: better numbers for the policies of one folder, learnt on some days and confirmed on others.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use comfy_table::{CellAlignment, Table, presets};
use hysio_control::replay::tune::{Advice, Misses, Point, Promise, Search, advise, front};
use hysio_scaling::policies::knobs::{Knob, find, turned};
use serde::Serialize;

use crate::commands::{
    capacity::html,
    replay::{ReplayArguments, Row, Stage, files, scores},
    trace::bar,
};

#[derive(Debug, Args)]
pub struct TuneArguments {
    /// Search for better numbers in the policies' files, in so many replays.
    #[arg(long, num_args = 0..=1, default_missing_value = "200", value_name = "RUNS", value_parser = clap::value_parser!(u32).range(2..=100_000))]
    pub tune: Option<u32>,
    /// What is to become less at the same cost.
    #[arg(long, value_enum, default_value = "late-jobs", requires = "tune")]
    misses: Miss,
    /// Which share of the days is held out: a setting that doesn't win on them is not recommended.
    #[arg(long, default_value_t = 0.33, value_name = "SHARE", requires = "tune")]
    held_out: f64,
    /// Write the recommended policies into this new folder.
    #[arg(long, value_name = "DIR", requires = "tune")]
    write: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Miss {
    /// Jobs that are not done in time.
    LateJobs,
    /// What is missing of what is needed: θ_U.
    UnderProvisioning,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Tuned {
    pub knobs: Vec<Knob>,
    pub replays: usize,
    pub misses: Misses,
    /// No point costs less and misses less, on the days to learn from.
    pub front: Vec<Point>,
    pub stated: Point,
    pub advice: Advice,
    /// On the held-out days: as stated, and as recommended.
    pub held_out: Vec<Row>,
}

impl TuneArguments {
    pub fn run(&self, replay: &ReplayArguments, report: Option<&Path>) -> anyhow::Result<()> {
        let [folder] = replay.policies.as_slice() else {
            anyhow::bail!("--tune is for one folder of policies: name one with --policies");
        };
        anyhow::ensure!(
            self.held_out > 0.0 && self.held_out < 1.0,
            "--held-out is a share between 0 and 1, such as 0.33"
        );
        let stated = files::read(folder)?;
        let stage = replay.stage()?;
        let tuned = self.search(&stated, &stage, replay)?;
        if let (Advice::Take { values, .. }, Some(to)) = (&tuned.advice, &self.write) {
            files::write(to, &turned(&stated, &tuned.knobs, values))?;
        }
        if let Some(file) = report {
            html::Replayed {
                source: replay.source.name(),
                stage: &stage.split(self.held_out)?[1],
                rows: &tuned.held_out,
                tuned: Some(&tuned),
            }
            .write(file)?;
        }
        if replay.json {
            println!("{}", serde_json::to_string_pretty(&tuned)?);
        } else {
            print!("{}", tuned.text(self.write.as_deref()));
        }
        Ok(())
    }

    fn search(
        &self,
        stated: &BTreeMap<String, String>,
        stage: &Stage,
        replay: &ReplayArguments,
    ) -> anyhow::Result<Tuned> {
        let knobs = find(stated, stage.resource);
        anyhow::ensure!(
            !knobs.is_empty(),
            "there is no number to turn for {}: policies state targets, windows or lengths as numbers",
            stage.resource
        );
        let [learnt, held_out] = stage.split(self.held_out)?;
        let search = Search {
            seed: replay.seed,
            runs: self.tune.unwrap_or(200) as usize,
            misses: match self.misses {
                Miss::LateJobs => Misses::LateJobs,
                Miss::UnderProvisioning => Misses::UnderProvisioning,
            },
        };
        let progress = bar(search.runs as u64, "replaying");
        let points = search.points(stated, &knobs, &learnt.contest(), &|| progress.inc(1))?;
        progress.finish_and_clear();
        let contest = held_out.contest();
        let promise = Promise {
            misses: search.misses,
            allowed: match search.misses {
                Misses::LateJobs => 100.0 * (1.0 - replay.objective.share),
                Misses::UnderProvisioning => 0.0,
            },
        };
        let advice = advise(&points, promise, stated, &knobs, &contest)?;
        let mut rows = vec![held_out.replay("as stated", stated)?];
        if let Advice::Take { values, .. } = &advice {
            rows.push(held_out.replay("recommended", &turned(stated, &knobs, values))?);
        }
        Ok(Tuned {
            replays: points.len(),
            misses: search.misses,
            front: front(&points, search.misses).into_iter().cloned().collect(),
            stated: points[0].clone(),
            knobs,
            advice,
            held_out: rows,
        })
    }
}

impl Tuned {
    fn text(&self, written: Option<&Path>) -> String {
        let mut out = format!(
            "{} settings of {} numbers, replayed on the days to learn from. Those that cost less or miss less than all others:\n{}\n",
            self.replays,
            self.knobs.len(),
            self.front_table()
        );
        match &self.advice {
            Advice::Keep { why } => out += &format!("Nothing is recommended: {why}.\n"),
            Advice::Take { values, .. } => {
                out += "Recommended, as it wins on the held-out days too:\n";
                for (knob, value) in self.changes(values) {
                    out += &format!(
                        "  {}:{}: {}: {} → {value}\n",
                        knob.file, knob.line, knob.key, knob.value
                    );
                }
                match written {
                    Some(folder) => out += &format!("written to {}\n", folder.display()),
                    None => out += "write them with --write DIR\n",
                }
            }
        }
        out + &format!("The held-out days:\n{}", scores(&self.held_out))
    }

    pub fn changes<'a>(&'a self, values: &'a [f64]) -> impl Iterator<Item = (&'a Knob, f64)> {
        let pairs = self.knobs.iter().zip(values.iter().copied());
        pairs.filter(|(knob, value)| knob.value != *value)
    }

    fn front_table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header([
            "replica hours",
            "late jobs",
            "θ_U",
            "actions a day",
            "what differs from what is stated",
        ]);
        // Twelve of them are enough to see its shape.
        let every = self.front.len().div_ceil(12).max(1);
        for point in self.front.iter().step_by(every) {
            let changes: Vec<String> = self
                .changes(&point.values)
                .map(|(knob, value)| format!("{} {value}", knob.key))
                .collect();
            table.add_row([
                format!("{:.1}", point.score.replica_hours),
                format!("{:.2} %", point.score.late_jobs),
                format!("{:.2} %", point.score.elasticity.under_accuracy),
                format!("{:.1}", point.score.actions_a_day),
                changes.join(", "),
            ]);
        }
        for column in table.column_iter_mut().take(4) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table.to_string()
    }
}
