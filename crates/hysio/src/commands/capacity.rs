//! `hysio capacity`: what patterns demand has, what will be needed, how many replicas an objective takes, what it costs.

mod analyse;
mod cost;
mod forecast;
pub mod html;
mod pdf;
pub mod size;
pub(crate) mod words;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub struct Command {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The shape of day, week and year, and the capacity that their peaks take.
    Analyse(analyse::Command),
    /// What the next days and months take, and what they cost.
    Forecast(forecast::Command),
    /// What instances and models cost a month, and who bears it.
    Cost(cost::Command),
    /// How many replicas an objective takes, such as p95<5s at 12 jobs a minute.
    Size(size::Command),
}

impl Command {
    pub fn run(self) -> anyhow::Result<()> {
        match self.what {
            What::Analyse(command) => command.run(),
            What::Forecast(command) => command.run(),
            What::Cost(command) => command.run(),
            What::Size(command) => command.run(),
        }
    }
}
