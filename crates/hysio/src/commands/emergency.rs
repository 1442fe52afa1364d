//! `hysio emergency`: declare one, look at it, stand down; and move to another primary database.

mod failover;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use hysio_scaling::snapshot::DeclaredEmergency;
use jiff::{SignedDuration, Timestamp};

use super::scale::user;
use crate::{
    config::Config,
    scaler::{justification, policy_files::Current},
    start::{self, ConfigArgument},
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
    /// Declare an emergency: its scenario's capacity is asked for at once.
    Declare(Declare),
    /// Say what is declared.
    Status {
        #[arg(long)]
        json: bool,
    },
    /// Promote a replica, cut the former primary off, and prove that nothing acknowledged is missing.
    Failover(failover::Command),
    /// End it.
    StandDown {
        /// Why it is over.
        #[arg(long, value_parser = justification::parse)]
        why: String,
    },
}

#[derive(Debug, Args)]
struct Declare {
    /// A scenario of the scaling matrix, such as `pandemic_response`.
    scenario: String,
    /// Why: it stands in the audit trail. No patient data.
    #[arg(long, value_parser = justification::parse)]
    why: String,
    /// How long it lasts at most.
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(i64).range(1..))]
    hours: i64,
    /// Who answers for it; you, if not said.
    #[arg(long)]
    owner: Option<String>,
}

impl Command {
    /// # Errors
    /// When the declaration makes no sense, another is on, or the database is away.
    pub fn run(self) -> anyhow::Result<()> {
        let config = self.config.load()?;
        super::block_on(async {
            if let Action::Failover(command) = self.action {
                return command.run(&config).await;
            }
            let db = start::connect(&config).await?;
            match self.action {
                Action::Declare(declare) => declare.run(&config, &db).await,
                Action::Status { json } => {
                    let emergency = db.emergency().await?;
                    if json {
                        println!("{}", serde_json::to_string_pretty(&emergency)?);
                    } else {
                        println!("{}", said(emergency.as_ref()));
                    }
                    Ok(())
                }
                Action::Failover(command) => command.run(&config).await,
                Action::StandDown { why } => {
                    let scenario = db
                        .stand_down(&user(), &why)
                        .await?
                        .context("no emergency is declared")?;
                    println!("{scenario} is over; capacity goes back as the policies want it");
                    Ok(())
                }
            }
        })
    }
}

impl Declare {
    async fn run(
        self,
        config: &Config,
        db: &hysio_infra::postgres::Database,
    ) -> anyhow::Result<()> {
        let policies = Current::in_force(config.scaling.policies.as_deref(), db).await?;
        super::scaler::tell_refused(&policies);
        let policy = policies
            .policies
            .emergency
            .as_ref()
            .context("the policies have no scaling matrix, and so no emergency scenarios")?;
        let now = Timestamp::now();
        let emergency = DeclaredEmergency {
            scenario: self.scenario,
            owner: self.owner.unwrap_or_else(user),
            reason: self.why,
            declared_at: now,
            ends_at: SignedDuration::try_from_hours(self.hours)
                .and_then(|hours| now.checked_add(hours).ok())
                .with_context(|| {
                    format!("--hours is {}: no calendar reaches that far", self.hours)
                })?,
        };
        policy.validate(&emergency, now)?;
        anyhow::ensure!(
            db.declare_emergency(
                &emergency,
                policy.priority_queues(&emergency.scenario),
                &user()
            )
            .await?,
            "another emergency is declared: hysio emergency status shows it, stand-down ends it"
        );
        println!("{}", said(Some(&emergency)));
        Ok(())
    }
}

fn said(emergency: Option<&DeclaredEmergency>) -> String {
    match emergency {
        None => "no emergency is declared".to_owned(),
        Some(it) if it.ends_at <= Timestamp::now() => {
            format!("{} has ended by itself at {}", it.scenario, it.ends_at)
        }
        Some(it) => format!(
            "{} since {}, until {} at most, declared by {}: {}",
            it.scenario, it.declared_at, it.ends_at, it.owner, it.reason
        ),
    }
}
