//! `hysio transcribe`

use clap::Args;

#[derive(Debug, Args)]
pub struct Command {}

impl Command {
    pub fn run(self) -> anyhow::Result<()> {
        anyhow::bail!("not built yet")
    }
}
