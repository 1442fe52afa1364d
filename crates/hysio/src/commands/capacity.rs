//! `hysio capacity`: what patterns demand has, what will be needed, how many replicas an objective takes, what it costs.

mod size;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub struct Command {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// How many replicas an objective takes, such as p95<5s at 12 jobs a minute.
    Size(size::Command),
}

impl Command {
    pub fn run(self) -> anyhow::Result<()> {
        match self.what {
            What::Size(command) => command.run(),
        }
    }
}
