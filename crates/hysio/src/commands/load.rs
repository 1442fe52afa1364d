//! `hysio load`: how fast and how faithfully an installation answers while many clinicians work.
//!
//! It fills the configured installation with practices of its own, so it is for test installations. Deliberately absent:
//! signing in (slow on purpose), uploads and everything behind them, which are measured elsewhere.

mod client;
mod clinic;
mod drive;
mod processes;
mod proof;
mod report;
mod tally;

use std::{path::PathBuf, time::Duration};

use clap::Args;

use self::{
    drive::{Load, Times},
    processes::Processes,
};
use crate::start::{self, ConfigArgument};

#[derive(Debug, Args)]
pub struct Command {
    #[command(flatten)]
    config: ConfigArgument,
    /// Where the API is; `http.public_url` if not said.
    #[arg(long)]
    url: Option<String>,
    /// The process id of a `hysio up`, to tell what its processes use.
    #[arg(long)]
    process: Option<u32>,
    /// Clinicians who are signed in.
    #[arg(long, default_value_t = 1_000)]
    clinicians: usize,
    /// Requests a second of the open loops, one after another; 0 leaves them out.
    #[arg(long, value_delimiter = ',', default_value = "500")]
    rates: Vec<f64>,
    /// Requests under way in the closed loop; 0 leaves it out.
    #[arg(long, default_value_t = 0)]
    at_once: usize,
    /// Seconds each load is counted.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Seconds each load goes on before it is counted.
    #[arg(long, default_value_t = 10)]
    warm_up: u64,
    /// How often a request is sent whose answer does not come, or says that somebody is away (502 to 504), after 1 s, 2 s, 4 s
    /// …; the page sends 3 times.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10))]
    tries: u32,
    /// Afterwards, look for every save that was acknowledged, and fail if one is missing.
    #[arg(long)]
    prove: bool,
    /// Write a page with charts.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// One JSON object on standard output.
    #[arg(long)]
    json: bool,
}

impl Command {
    /// # Errors
    /// When the installation cannot be reached or filled, or `--prove` finds something missing.
    pub fn run(self) -> anyhow::Result<()> {
        let config = self.config.load()?;
        // One thread, so that the generator takes no more than one of the machine's cores.
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(self.load(&config))
    }

    async fn load(self, config: &crate::config::Config) -> anyhow::Result<()> {
        let processes = self.process.map(Processes::of).transpose()?;
        let url = self.url.as_deref().unwrap_or(&config.http.public_url);
        let target = client::Target::of(url).await?;
        let db = start::connect(config).await?;
        eprintln!("signing {} clinicians in …", self.clinicians);
        let mut clinicians = clinic::open(config, &db, &target, self.clinicians).await?;
        let times = Times {
            warm_up: Duration::from_secs(self.warm_up),
            counted: Duration::from_secs(self.seconds),
            tries: self.tries,
        };
        let mut outcomes = Vec::new();
        for load in self.loads() {
            let (same, outcome) = drive::drive(clinicians, load, times, processes.as_ref()).await?;
            clinicians = same;
            outcomes.push(outcome);
        }
        let proof = if self.prove {
            Some(proof::of(&db, &clinicians).await?)
        } else {
            None
        };
        if let Some(file) = &self.report {
            report::write(file, clinicians.len(), &outcomes, proof.as_ref())?;
        }
        if self.json {
            println!(
                "{:#}",
                report::json(clinicians.len(), &outcomes, proof.as_ref())
            );
        } else {
            println!("{}", report::table(&outcomes));
            if let Some(proof) = &proof {
                println!("\n{proof}");
            }
        }
        proof.map_or(Ok(()), |proof| proof.holds())
    }

    fn loads(&self) -> Vec<Load> {
        let open = self.rates.iter().filter(|rate| **rate > 0.0);
        let closed = Some(self.at_once).filter(|at_once| *at_once > 0);
        open.map(|&per_second| Load::Open { per_second })
            .chain(closed.map(|at_once| Load::Closed { at_once }))
            .collect()
    }
}
