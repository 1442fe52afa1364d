//! `hysio openapi`: prints the API's description, as `docs/api/openapi.json` has it.

use clap::Args;

#[derive(Debug, Args)]
pub struct Command {}

impl Command {
    pub fn run(self) -> anyhow::Result<()> {
        println!("{}", crate::http::app::openapi());
        Ok(())
    }
}
