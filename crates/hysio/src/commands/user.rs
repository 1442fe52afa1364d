//! `hysio user`: adds people who sign in, with the owner's role. Facility administrators add their own on the page.

use std::io::Read as _;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use hysio_infra::postgres::{
    Error,
    accounts::{self, NewUser},
    migrate,
    users::EMAIL_CONSTRAINT,
};
use hysio_model::{Role, Specialty, id::FacilityId, transcript::Language};
use zeroize::Zeroizing;

use crate::{
    config::Config,
    http::hash_password,
    start::{ConfigArgument, owner_config},
};

#[derive(Debug, Args)]
pub struct Command {
    #[command(flatten)]
    config: ConfigArgument,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Add a user. The password is read from standard input.
    Add(Add),
    /// Set a new password, read from standard input. The user's sessions end.
    Password {
        #[arg(long)]
        email: String,
    },
}

#[derive(Debug, Args)]
struct Add {
    #[arg(long)]
    email: String,
    #[arg(long)]
    name: String,
    /// clinician, facility_admin, operator or auditor
    #[arg(long)]
    role: Role,
    /// Number of the facility, for clinicians and facility administrators.
    #[arg(long)]
    facility: Option<i32>,
    #[arg(long)]
    specialty: Option<Specialty>,
    /// en or nl
    #[arg(long, default_value = "en")]
    language: Language,
}

impl Command {
    pub fn run(self) -> anyhow::Result<()> {
        let config = self.config.load()?;
        match self.action {
            Action::Add(add) => add.run(&config),
            Action::Password { email } => set_password(&config, email.trim()),
        }
    }
}

fn set_password(config: &Config, email: &str) -> anyhow::Result<()> {
    let password_hash = read_password()?;
    super::block_on(async {
        let mut client = migrate::connect(&owner_config(config)?).await?;
        let found = accounts::set_password(&mut client, email, &password_hash).await?;
        anyhow::ensure!(found, "nobody signs in with {email}");
        println!("{email} has a new password, and has to sign in again");
        Ok(())
    })
}

/// The hash of the password on standard input.
fn read_password() -> anyhow::Result<String> {
    let mut password = Zeroizing::new(String::new());
    std::io::stdin()
        .take(4_096)
        .read_to_string(&mut password)
        .context("the password cannot be read from standard input")?;
    hash_password(password.trim_end_matches(['\r', '\n']))
}

impl Add {
    fn run(self, config: &Config) -> anyhow::Result<()> {
        let add = self;
        let needs_facility = [Role::Clinician, Role::FacilityAdmin].contains(&add.role);
        anyhow::ensure!(
            needs_facility == add.facility.is_some(),
            "a clinician or facility_admin needs --facility, an operator or auditor has none"
        );
        let password_hash = read_password()?;
        super::block_on(async {
            let client = migrate::connect(&owner_config(config)?).await?;
            let user = NewUser {
                facility: add.facility.map(FacilityId),
                email: add.email.trim().to_owned(),
                name: add.name.trim().to_owned(),
                password_hash,
                role: add.role,
                specialty: add.specialty,
                language: add.language,
            };
            let id = accounts::add_user(&client, &user)
                .await
                .map_err(|error| match error {
                    Error::Constraint { constraint } if constraint == EMAIL_CONSTRAINT => {
                        anyhow::anyhow!("somebody signs in with {} already", user.email)
                    }
                    Error::Constraint { constraint } if constraint.contains("facility") => {
                        anyhow::anyhow!("there is no such facility: see `hysio facility list`")
                    }
                    other => other.into(),
                })?;
            println!("{id}\t{}", user.email);
            Ok(())
        })
    }
}
