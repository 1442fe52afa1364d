//! `hysio migrate`: brings the schema up to date, with the owner's role.

use clap::Args;
use hysio_infra::{cipher::MasterKeys, postgres::migrate};

use crate::start::{ConfigArgument, owner_config};

#[derive(Debug, Args)]
pub struct Command {
    #[command(flatten)]
    config: ConfigArgument,
}

impl Command {
    pub fn run(self) -> anyhow::Result<()> {
        let config = self.config.load()?;
        let master = MasterKeys::load(&config.paths.master_key())?;
        super::block_on(async {
            let mut client = migrate::connect(&owner_config(&config)?).await?;
            let applied = migrate::migrate(&mut client, &master).await?;
            match applied.as_slice() {
                [] => println!("The schema is up to date."),
                names => names.iter().for_each(|name| println!("applied {name}")),
            }
            Ok(())
        })
    }
}
