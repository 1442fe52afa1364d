//! `hysio evaluate policies`: sets of policies side by side on a trace, and at equal cost.

use std::collections::BTreeMap;

use clap::Args;
use hysio_control::replay::{
    equal_cost::{Comparison, Contender},
    tune::{Misses, Search},
};
use serde::Serialize;

use crate::commands::{
    replay::{ReplayArguments, Row, Stage, files, scores},
    trace::bar,
};

/// The share of the days on which policies are compared.
const HELD_OUT: f64 = 0.5;

#[derive(Debug, Args)]
pub struct Command {
    #[command(flatten)]
    replay: ReplayArguments,
    /// Compare each set with the first at the same cost on the second half of the days: those with a forecast along its percentile, others
    /// retuned in so many replays on the first half.
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
        let contenders: Vec<Contender> = sets
            .iter()
            .map(|(_, files)| Contender::new(files, stage.resource))
            .collect();
        let [learnt, held_out] = stage.split(HELD_OUT)?;
        let (learnt, held_out) = (learnt.contest(), held_out.contest());
        let search = Search {
            seed: self.replay.seed,
            runs,
            misses: Misses::UnderProvisioning,
        };
        let replays = contenders
            .iter()
            .map(|it| it.replays(&search))
            .sum::<usize>();
        let progress = bar(replays as u64, "comparing");
        let curve = |it: &Contender| it.curve(&search, &learnt, &held_out, &|| progress.inc(1));
        let reference = curve(&contenders[0])?;
        let mut all = BTreeMap::new();
        for ((name, _), other) in sets.iter().zip(&contenders).skip(1) {
            all.insert(name.clone(), Comparison::of(&reference, &curve(other)?));
        }
        progress.finish_and_clear();
        Ok(all)
    }
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
                    "{name} at the cost of {first}, on the second half of the days: θ_U ×{:.2}, actions ×{:.2}\n",
                    it.under_ratio, it.actions_ratio
                ),
                None => format!("{name} and {first} have no cost in common\n"),
            };
        }
        out
    }
}
