//! `hysio scale RESOURCE COUNT --why "…"`: one change by hand, with the same gates and the same proof as every other.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use hysio_control::{
    ports::{Begun, Probes as _, TransactionLog as _, Wish},
    tick::Observer as _,
    transaction::{Change, Event, Phase, State, TransactionId},
};
use hysio_infra::postgres::Database;
use hysio_scaling::{Resource, decide::decide, gates};

use super::{doctor, scaler};
use crate::{
    config::Config,
    scaler::{LEASE, justification, observe::World, policy_files::Current, run::Carrying},
    start::{self, ConfigArgument},
};

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long the database may be away before nobody waits for it any longer.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub struct Command {
    #[command(flatten)]
    config: ConfigArgument,
    /// What to change, such as `transcription_workers` or `db_connections`.
    resource: Resource,
    /// How many there are to be.
    #[arg(value_parser = clap::value_parser!(i32).range(0..))]
    count: i32,
    /// Why: it stands in the audit trail. No patient data.
    #[arg(long, value_parser = justification::parse)]
    why: String,
    /// Only go through the gates, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Wait until it has ended.
    #[arg(long)]
    wait: bool,
    /// Take over from a change of the same resource that is in flight.
    #[arg(long)]
    supersede: bool,
}

impl Command {
    /// # Errors
    /// When it was refused or rolled back, or the database is away.
    pub fn run(self) -> anyhow::Result<()> {
        let config = self.config.load()?;
        super::block_on(async { self.scale(&config).await })
    }

    async fn scale(self, config: &Config) -> anyhow::Result<()> {
        let db = start::connect(config).await?;
        let policies = Current::in_force(config.scaling.policies.as_deref(), &db).await?;
        super::scaler::tell_refused(&policies);
        let limit = policies
            .policies
            .limits
            .resources
            .get(&self.resource)
            .with_context(|| {
                format!(
                    "{} is not scaled: limits.yaml has no bounds for it",
                    self.resource
                )
            })?;
        let world = std::sync::Arc::new(scaler::world(config, &db)?);
        let prober = std::sync::Arc::new(scaler::prober(config, &db, world.clone(), &policies)?);
        let known = db.targets().await?;
        anyhow::ensure!(
            known.iter().any(|target| target.resource == self.resource),
            "{} has bounds, but nothing here runs it: `hysio up` founds what it runs",
            self.resource
        );
        if self.dry_run {
            let change = self.preview(&db).await?;
            let report = gates::before(&prober.before(&change).await.0);
            println!("{}: {} → {}", change.resource, change.old, change.new);
            doctor::print_report("before", &report);
            anyhow::ensure!(report.passed(), "it would be refused: {}", report.why_not());
            return Ok(());
        }
        let wish = Wish {
            resource: self.resource,
            new: self.count,
            justification: self.why.clone(),
            user: user(),
            pid: std::process::id(),
            plan: None,
            ready_within_seconds: limit.ready_within_seconds,
            supersede: self.supersede,
        };
        match db.begin(&wish).await? {
            Begun::AlreadySo => {
                println!("{} is {} already", self.resource, self.count);
                Ok(())
            }
            Begun::InFlight(other) => anyhow::bail!(
                "{} is being changed by {other}: wait for its end, or take over with --supersede",
                self.resource
            ),
            Begun::Yes(change) => {
                println!(
                    "{}: {} → {} ({})",
                    change.resource, change.old, change.new, change.id
                );
                let led = db.lease_holder(LEASE).await?.is_some();
                if !led {
                    // Nobody else would carry it through.
                    Carrying::default().take(change.id, db.clone(), prober);
                }
                if self.wait || !led {
                    follow(&db, change.id, |_| false).await?;
                } else {
                    // What is refused is refused within a moment, and who asked should know.
                    follow(&db, change.id, |phase| phase != Phase::Gating).await?;
                    println!("the scaler carries it through; --wait shows how");
                }
                warn_of_policies(&db, &policies, &world, &change).await
            }
        }
    }

    async fn preview(&self, db: &Database) -> anyhow::Result<Change> {
        let targets = db.targets().await?;
        let target = targets
            .iter()
            .find(|target| target.resource == self.resource)
            .with_context(|| {
                format!("{} is not scaled here: `hysio up` founds it", self.resource)
            })?;
        Ok(Change {
            id: TransactionId::new(),
            resource: self.resource,
            old: target.desired,
            new: self.count,
            justification: self.why.clone(),
            user: user(),
            pid: std::process::id(),
            generation: target.generation,
            plan: None,
            ready_within_seconds: 0,
            took_over: None,
        })
    }
}

/// Says so when the policies want more, and so will raise it again.
async fn warn_of_policies(
    db: &Database,
    policies: &Current,
    world: &World,
    change: &Change,
) -> anyhow::Result<()> {
    let history = db.scaling_history().await?;
    let history = history
        .and_then(|history| serde_json::from_value(history).ok())
        .unwrap_or_default();
    let mut snapshot = world.observe().await?;
    if let Some(workload) = snapshot.workloads.get_mut(&change.resource) {
        (workload.desired, workload.in_flight) = (change.new, false);
    }
    let (decision, _) = decide(&policies.policies, &history, &snapshot);
    let wanted = decision
        .plans()
        .find(|(outcome, to, _)| outcome.resource == change.resource && *to > change.new);
    if let Some((_, to, because)) = wanted {
        eprintln!("note: the policies want {to}, and will raise it again: {because}");
    }
    Ok(())
}

/// Prints each step as it is taken, to the end or until it is far enough.
async fn follow(
    db: &Database,
    id: TransactionId,
    is_enough: impl Fn(Phase) -> bool,
) -> anyhow::Result<()> {
    let mut shown = 0;
    let mut seen = Instant::now();
    loop {
        let log = match db.scaling_log(id).await {
            // A change of the connections, of all changes, may keep this one waiting.
            Err(hysio_infra::postgres::Error::Unavailable(_)) if seen.elapsed() < PATIENCE => {
                tokio::time::sleep(LOOK_EVERY).await;
                continue;
            }
            log => log.with_context(|| {
                format!(
                    "whoever leads goes on with {id}: `hysio audit show --scaling` tells how it ends"
                )
            })?,
        };
        seen = Instant::now();
        for event in &log[shown..] {
            println!("  {}  {}", event.at().strftime("%H:%M:%S%.3f"), told(event));
        }
        shown = log.len();
        let state = State::of(&log)?;
        match state.phase {
            Phase::Completed => return Ok(()),
            Phase::Failed | Phase::RolledBack | Phase::Superseded => anyhow::bail!(
                "{}: {}",
                state.phase.as_str().replace('_', " "),
                state.trouble.unwrap_or_default()
            ),
            Phase::Gating
            | Phase::Applying
            | Phase::Waiting
            | Phase::Verifying
            | Phase::RollingBack
                if is_enough(state.phase) =>
            {
                return Ok(());
            }
            Phase::Gating
            | Phase::Applying
            | Phase::Waiting
            | Phase::Verifying
            | Phase::RollingBack => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

fn told(event: &Event) -> String {
    match event {
        Event::Initiated { change, .. } => {
            format!("initiated by {} ({})", change.user, change.justification)
        }
        Event::GatesPassed { report, .. } => format!("{} gates passed", report.findings.len()),
        Event::GateRefused { report, .. } => format!("refused: {}", report.why_not()),
        Event::Applied { .. } => "applied".to_owned(),
        Event::NotApplied { why, .. } => format!("could not be applied: {why}"),
        Event::Ready { ready, .. } => format!("{ready} ready"),
        Event::NotReady { why, .. } => format!("not ready: {why}"),
        Event::Verified { report, .. } => {
            format!("verified: {} gates passed", report.findings.len())
        }
        Event::ComplianceFailed { report, .. } => format!("not compliant: {}", report.why_not()),
        Event::RolledBack { count, .. } => format!("rolled back to {count}"),
        Event::Stuck { why, .. } => format!("stuck, and still trying: {why}"),
        Event::Superseded { by, .. } => format!("superseded by generation {by}"),
    }
}

/// Who runs this, as the operating system knows him.
pub fn user() -> String {
    nix::unistd::User::from_uid(nix::unistd::getuid())
        .ok()
        .flatten()
        .map_or_else(|| nix::unistd::getuid().to_string(), |user| user.name)
}
