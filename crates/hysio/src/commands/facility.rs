//! `hysio facility`: adds and lists facilities, with the owner's role.

use clap::{Args, Subcommand};
use hysio_infra::{
    cipher::MasterKeys,
    postgres::{accounts, migrate},
};

use crate::start::{ConfigArgument, owner_config};

#[derive(Debug, Args)]
pub struct Command {
    #[command(flatten)]
    config: ConfigArgument,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Add a facility, with its own encryption key.
    Add { name: String },
    /// List the facilities.
    List,
}

impl Command {
    pub fn run(self) -> anyhow::Result<()> {
        let config = self.config.load()?;
        super::block_on(async {
            let mut client = migrate::connect(&owner_config(&config)?).await?;
            match self.action {
                Action::Add { name } => {
                    let master = MasterKeys::load(&config.paths.master_key())?;
                    let facility =
                        accounts::add_facility(&mut client, &master, name.trim()).await?;
                    println!("{}\t{}", facility.id, facility.name);
                }
                Action::List => {
                    for facility in accounts::facilities(&client).await? {
                        println!("{}\t{}", facility.id, facility.name);
                    }
                }
            }
            Ok(())
        })
    }
}
