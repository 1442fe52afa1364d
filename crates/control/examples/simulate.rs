//! Runs the simulation for many seeds: `cargo run --release -p hysio-control --example simulate -- --seeds 100000`.
//!
//! `--from N` begins at another seed than 0; `--seed N` runs one and shows it.

use std::process::ExitCode;

use hysio_control::simulate::{Outcome, Summary, run};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse::<u64>().ok()
    };
    if let Some(seed) = number("--seed") {
        let outcome = paused(seed);
        print!("{outcome}");
        return exit(outcome.holds());
    }
    let seeds = number("--seeds").unwrap_or(1_000);
    let from = number("--from").unwrap_or(0);
    let mut summary = Summary::default();
    for seed in from..from.saturating_add(seeds) {
        let outcome = paused(seed);
        summary.add(&outcome);
        if !outcome.holds() {
            print!("{outcome}");
        }
        if summary.runs.is_multiple_of(1_000) {
            eprintln!(
                "{} of {seeds} seeds, {} broken",
                summary.runs,
                summary.broken.len()
            );
        }
    }
    println!("{summary}");
    exit(summary.broken.is_empty())
}

fn paused(seed: u64) -> Outcome {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O needs nothing from the system")
        .block_on(run(seed))
}

fn exit(holds: bool) -> ExitCode {
    if holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
