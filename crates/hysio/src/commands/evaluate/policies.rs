//! `hysio evaluate policies`: sets of policies side by side on a trace, and at equal cost.

use std::collections::BTreeMap;

use clap::Args;
use hysio_control::replay::{
    equal_cost::{At, Comparison, Curve, chosen},
    tune::{Misses, Point, Search, front, starts},
};
use hysio_scaling::policies::knobs::{find, turned};
use serde::Serialize;

use crate::commands::{
    replay::{ReplayArguments, Row, Stage, files, scores},
    trace::bar,
};

/// The share of the days on which tuned policies are compared.
const HELD_OUT: f64 = 0.5;

#[derive(Debug, Args)]
pub struct Command {
    #[command(flatten)]
    replay: ReplayArguments,
    /// Tune each set in so many replays on the first half of the days, and compare them with the first set at the same cost on the
    /// second half.
    #[arg(long, value_name = "RUNS", value_parser = clap::value_parser!(u32).range(2..=100_000))]
    equal_cost: Option<u32>,
}

#[derive(Debug, Serialize)]
struct Report {
    trace: String,
    days: String,
    seed: u64,
    policies: Vec<Row>,
    /// Against the first set, retuned; nothing where no cost is common to both.
    equal_cost: BTreeMap<String, Option<Comparison>>,
}

impl Command {
    pub fn run(self) -> anyhow::Result<()> {
        let stage = self.replay.stage()?;
        let mut sets = Vec::new();
        for folder in &self.replay.policies {
            sets.push((folder.display().to_string(), files::read(folder)?));
        }
        let mut rows = Vec::new();
        for (name, files) in &sets {
            rows.push(stage.replay(name, files)?);
        }
        let equal_cost = match self.equal_cost {
            Some(runs) => self.compare(&stage, &sets, runs as usize)?,
            None => BTreeMap::new(),
        };
        let report = Report {
            trace: self.replay.source.name(),
            days: stage.days(),
            seed: self.replay.seed,
            policies: rows,
            equal_cost,
        };
        if self.replay.json {
            println!("{}", serde_json::to_string_pretty(&report)?);
        } else {
            print!("{}", report.text());
        }
        Ok(())
    }

    fn compare(
        &self,
        stage: &Stage,
        sets: &[(String, BTreeMap<String, String>)],
        runs: usize,
    ) -> anyhow::Result<BTreeMap<String, Option<Comparison>>> {
        anyhow::ensure!(
            sets.len() > 1,
            "--equal-cost compares with the first set: name two folders with --policies"
        );
        let [learnt, held_out] = stage.split(HELD_OUT)?;
        let search = Search {
            seed: self.replay.seed,
            runs,
            misses: Misses::UnderProvisioning,
        };
        let progress = bar((runs * sets.len()) as u64, "tuning");
        let first = learnt.contest();
        let mut tuned: Vec<Vec<Point>> = Vec::new();
        for (_, files) in sets {
            let knobs = find(files, stage.resource);
            let begin = tuned.first().map_or_else(Vec::new, |points| {
                let from = find(&sets[0].1, stage.resource);
                starts(&front(points, search.misses), &from, &knobs)
            });
            let points = search.points_from(files, &knobs, &begin, &first, &|| progress.inc(1))?;
            tuned.push(points);
        }
        progress.finish_and_clear();
        let later = held_out.contest();
        let again = |set: usize, points: &[&Point]| -> anyhow::Result<Vec<At>> {
            let (files, knobs) = (&sets[set].1, find(&sets[set].1, stage.resource));
            let score = |point: &&Point| {
                let run = later.run(&turned(files, &knobs, &point.values))?;
                Ok(At::from(&run.score))
            };
            points.iter().map(score).collect()
        };
        let best = front(&tuned[0], search.misses);
        let learnt = Curve::lowest(&ats(&best), |it| it.under);
        let reference = Curve::lowest(&again(0, &best)?, |it| it.under);
        let mut all = BTreeMap::new();
        for (set, points) in tuned.iter().enumerate().skip(1) {
            let points: Vec<&Point> = points.iter().collect();
            let followed = chosen(&ats(&points), &learnt);
            let followed: Vec<&Point> = followed.into_iter().map(|at| points[at]).collect();
            let policy = Curve::through(&again(set, &followed)?);
            all.insert(sets[set].0.clone(), Comparison::of(&reference, &policy));
        }
        Ok(all)
    }
}

fn ats(points: &[&Point]) -> Vec<At> {
    points.iter().map(|point| At::from(&point.score)).collect()
}

impl Report {
    fn text(&self) -> String {
        let mut out = format!(
            "{}{} in ticks of 15 s, seed {}\n",
            scores(&self.policies),
            self.days,
            self.seed
        );
        let first = self
            .policies
            .first()
            .map_or("", |row| row.policies.as_str());
        for (name, comparison) in &self.equal_cost {
            out += &match comparison {
                Some(it) => format!(
                    "{name} at the cost of {first}, both tuned on the first half of the days, on the second: θ_U ×{:.2}, actions ×{:.2}\n",
                    it.under_ratio, it.actions_ratio
                ),
                None => format!("{name} and {first} have no cost in common\n"),
            };
        }
        out
    }
}
