//! `hysio migrate`: brings the schema up to date while services work, with the owner's role.

use std::time::Duration;

use clap::Args;
use hysio_infra::{cipher::MasterKeys, postgres::migrate};

use crate::start::{ConfigArgument, owner_config};

#[derive(Debug, Args)]
pub struct Command {
    #[command(flatten)]
    config: ConfigArgument,
    /// How long processes of an earlier version get to end, before what takes something away from them is left for later.
    #[arg(long, value_name = "SECONDS", default_value_t = migrate::WAIT_FOR_EARLIER.as_secs())]
    wait: u64,
}

impl Command {
    pub fn run(self) -> anyhow::Result<()> {
        let config = self.config.load()?;
        let master = MasterKeys::load(&config.paths.master_key())?;
        let wait = Duration::from_secs(self.wait);
        super::block_on(async {
            let mut client = migrate::connect(&owner_config(&config)?).await?;
            let migrated = migrate::migrate_waiting(&mut client, &master, wait).await?;
            for name in &migrated.applied {
                println!("applied {name}");
            }
            match migrated.waits {
                Some(waits) => println!(
                    "{} waits until an earlier version is gone: {}. Upgrade them, then run `hysio migrate` again.",
                    waits.migration, waits.why
                ),
                None => println!("The schema is up to date."),
            }
            Ok(())
        })
    }
}
