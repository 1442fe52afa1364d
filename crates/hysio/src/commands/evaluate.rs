//! `hysio evaluate`: the engines and forecasts against references, so that every change to one can be judged.

mod forecast;
mod policies;
mod transcription;

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
    /// Forecasts of demand at rolling origins of a trace.
    Forecast(forecast::Command),
    /// Sets of policies on a trace, by all scores, and at equal cost.
    Policies(Box<policies::Command>),
    /// Word error rate, speed and memory over recordings with reference texts.
    Transcription(transcription::Command),
}

impl Command {
    pub fn run(self) -> anyhow::Result<()> {
        match self.what {
            What::Codes(codes) => codes.run(),
            What::Forecast(command) => command.run(),
            What::Policies(command) => command.run(),
            What::Transcription(command) => command.run(),
        }
    }
}
