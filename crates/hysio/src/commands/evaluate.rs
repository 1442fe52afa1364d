//! `hysio evaluate`

use clap::{Args, Subcommand};

use super::codes_evaluation::Codes;

#[derive(Debug, Args)]
pub struct Command {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Suggested diagnosis codes against those known to be right.
    Codes(Codes),
}

impl Command {
    pub fn run(self) -> anyhow::Result<()> {
        match self.what {
            What::Codes(codes) => codes.run(),
        }
    }
}
