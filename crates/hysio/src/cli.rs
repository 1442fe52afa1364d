//! The command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::commands::{code, codes, evaluate, transcribe};

/// Clinical documentation: dictation in, coded record out.
#[derive(Debug, Parser)]
#[command(name = "hysio", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Transcribe an audio file.
    Transcribe(transcribe::Command),
    /// Suggest diagnosis codes for a text.
    Code(code::Command),
    /// Build, show and search the catalogue of diagnosis codes.
    Codes(codes::Command),
    /// Measure the engines against references.
    Evaluate(evaluate::Command),
}

impl Cli {
    /// Runs the command; an error goes to standard error with its whole chain, and the exit code is 1.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let result = match self.command {
            Command::Transcribe(command) => command.run(),
            Command::Code(command) => command.run(),
            Command::Codes(command) => command.run(),
            Command::Evaluate(command) => command.run(),
        };
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("hysio: {error:#}");
                ExitCode::FAILURE
            }
        }
    }
}
