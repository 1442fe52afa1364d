use clap::Parser;
use hysio::cli::Cli;

fn main() -> std::process::ExitCode {
    Cli::parse().run()
}
