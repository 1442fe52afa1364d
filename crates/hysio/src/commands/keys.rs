//! `hysio keys`: makes and rotates keys.

use clap::{Args, Subcommand};
use hysio_infra::{
    audit::SigningKeys,
    cipher::MasterKeys,
    postgres::{accounts, migrate},
};
use hysio_model::id::FacilityId;

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
    /// Make the master key and the audit key of a new installation. Existing files stay.
    Create,
    /// Give a facility a new data key: it seals from now on, the older ones go on opening.
    Rotate {
        #[arg(long, value_name = "NUMBER")]
        facility: i32,
    },
    /// Wrap every key again under the first master key of the file, after a new one was put there.
    Rewrap,
}

impl Command {
    pub fn run(self) -> anyhow::Result<()> {
        let config = self.config.load()?;
        let (master_path, audit_path) = (config.paths.master_key(), config.paths.audit_key());
        match self.action {
            Action::Create => {
                MasterKeys::generate_file(&master_path)?;
                println!(
                    "made {}: keep a copy elsewhere, without it no patient data can be read",
                    master_path.display()
                );
                SigningKeys::generate_file(&audit_path, crate::commands::audit::ORIGIN)?;
                println!("made {}", audit_path.display());
                Ok(())
            }
            Action::Rotate { facility } => super::block_on(async {
                let client = migrate::connect(&owner_config(&config)?).await?;
                let version = accounts::rotate_data_key(
                    &client,
                    &MasterKeys::load(&master_path)?,
                    FacilityId(facility),
                )
                .await?;
                println!("facility {facility} now seals with version {version} of its key");
                Ok(())
            }),
            Action::Rewrap => super::block_on(async {
                let client = migrate::connect(&owner_config(&config)?).await?;
                let master = MasterKeys::load(&master_path)?;
                let keys = accounts::rewrap_keys(&client, &master).await?;
                println!(
                    "{keys} keys were wrapped again under master key {}",
                    master.current_id()
                );
                Ok(())
            }),
        }
    }
}
