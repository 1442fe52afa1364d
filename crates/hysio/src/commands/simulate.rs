//! `hysio simulate`: a trace of demand replayed against folders of policies, through the same decisions that run in production; and
//! with `--tune`, a search for better numbers in them.

mod tuning;

use std::path::PathBuf;

use clap::Args;

use self::tuning::TuneArguments;
pub use self::tuning::Tuned;
use super::{
    capacity::html,
    replay::{ReplayArguments, Row, Stage, files, scores},
};

#[derive(Debug, Args)]
pub struct Command {
    #[command(flatten)]
    replay: ReplayArguments,
    #[command(flatten)]
    tune: TuneArguments,
    /// Write a report with charts into this file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Command {
    pub fn run(self) -> anyhow::Result<()> {
        if self.tune.tune.is_some() {
            return self.tune.run(&self.replay, self.html.as_deref());
        }
        let stage = self.replay.stage()?;
        let rows = self.rows(&stage)?;
        if let Some(file) = &self.html {
            html::Replayed {
                source: self.replay.source.name(),
                stage: &stage,
                rows: &rows,
                tuned: None,
            }
            .write(file)?;
        }
        if self.replay.json {
            println!("{}", serde_json::to_string_pretty(&rows)?);
        } else {
            print!("{}", scores(&rows));
            println!(
                "{} in ticks of 15 s, seed {}",
                stage.days(),
                self.replay.seed
            );
        }
        Ok(())
    }

    /// Each set of policies, a number that costs the same, and one that is always enough.
    fn rows(&self, stage: &Stage) -> anyhow::Result<Vec<Row>> {
        let mut rows = Vec::new();
        for folder in &self.replay.policies {
            let name = folder.display().to_string();
            rows.push(stage.replay(&name, &files::read(folder)?)?);
        }
        let hours = f64::from(stage.demand.ticks()) / 240.0;
        let same = rows[0].totals.replica_hours / hours.max(f64::MIN_POSITIVE);
        rows.push(stage.fixed(same.round().max(1.0) as u32));
        if stage.peak() != same.round() as u32 {
            rows.push(stage.fixed(stage.peak()));
        }
        Ok(rows)
    }
}
