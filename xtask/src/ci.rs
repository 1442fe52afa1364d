//! Everything that must hold before a change is merged, cheapest first.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{deny, walls};

/// The tests run in the profile that ships, so the lints do too: dependencies are compiled once.
const STEPS: [(&str, &[&str]); 4] = [
    ("cargo", &["fmt", "--all", "--check"]),
    (
        "cargo",
        &[
            "clippy",
            "--release",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
    ),
    (
        "cargo",
        &[
            "doc",
            "--release",
            "--workspace",
            "--no-deps",
            "--document-private-items",
        ],
    ),
    ("./hysio", &["test"]),
];

pub fn run() -> Result<()> {
    walls::check()?;
    deny::check()?;
    for (program, arguments) in STEPS {
        step(program, arguments)?;
    }
    println!("xtask: all checks passed");
    Ok(())
}

fn step(program: &str, arguments: &[&str]) -> Result<()> {
    let shown = format!("{program} {}", arguments.join(" "));
    println!("xtask: {shown}");
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    command.env("RUSTDOCFLAGS", "-D warnings");
    let status = command
        .status()
        .with_context(|| format!("running {shown}"))?;
    if !status.success() {
        bail!("{shown} failed; its reason is above");
    }
    Ok(())
}
