//! The repository's own checks: `cargo xtask ci` runs them all, each also has a name of its own.

mod ci;
mod deny;
mod walls;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask ci | deps | deny";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let names: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match names.as_slice() {
        ["ci"] => ci::run(),
        ["deps"] => walls::check(),
        ["deny"] => deny::check(),
        _ => Err(anyhow::anyhow!(USAGE)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
