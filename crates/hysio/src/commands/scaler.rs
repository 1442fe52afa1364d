//! `hysio scaler`: observes, decides, begins changes and carries them through. With `--explain` it only says what it would
//! decide now, and why.

mod explain;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::Context as _;
use clap::Args;
use hysio_control::tick::Observer as _;
use hysio_infra::{
    postgres::{Database, notify},
    prometheus::Prometheus,
};
use hysio_scaling::{
    Resource,
    decide::{History, decide},
};
use tokio_util::sync::CancellationToken;

use crate::{
    config::Config,
    metrics::Metrics,
    pgbouncer,
    presence::Presence,
    scaler::{
        Scaler,
        machine::Machine,
        observe::World,
        policy_files::{Current, Files},
        probes::Prober,
        store::Decisions,
    },
    start::{self, ConfigArgument, Role},
};

#[derive(Debug, Args)]
pub struct Command {
    #[command(flatten)]
    config: ConfigArgument,
    /// Only say what would be decided now and why; change nothing.
    #[arg(long)]
    explain: bool,
    /// With --explain: an earlier decision, by its id, made again from what was stored.
    #[arg(long, value_name = "ID", requires = "explain")]
    decision: Option<uuid::Uuid>,
    /// With --explain: print JSON.
    #[arg(long, requires = "explain")]
    json: bool,
}

impl Command {
    /// # Errors
    /// When the database or the policies cannot be read.
    pub fn run(self) -> anyhow::Result<()> {
        if self.explain {
            let config = self.config.load()?;
            return super::block_on(async { self.explain(&config).await });
        }
        start::run(&self.config, scale)
    }

    async fn explain(&self, config: &Config) -> anyhow::Result<()> {
        let db = start::connect(config).await?;
        let decision = match self.decision {
            Some(id) => made_again(&db, id).await?,
            None => {
                let policies = Current::in_force(config.scaling.policies.as_deref(), &db).await?;
                tell_refused(&policies);
                // Of the built-in ones the owner need not be told.
                if config.scaling.policies.is_some() {
                    for finding in &policies.policies.findings {
                        eprintln!("note: {finding}");
                    }
                }
                let history = db
                    .scaling_history()
                    .await?
                    .and_then(|history| serde_json::from_value(history).ok())
                    .unwrap_or_default();
                let snapshot = world(config, &db)?.observe().await?;
                decide(&policies.policies, &history, &snapshot).0
            }
        };
        explain::print(std::io::stdout().lock(), &decision, self.json)?;
        Ok(())
    }
}

/// Says on standard error that the files are not in force, if so.
pub fn tell_refused(policies: &Current) {
    if let Some(why) = policies.refused() {
        eprintln!("note: the policy files are refused, and the last good ones are in force: {why}");
    }
}

/// A stored decision, made anew from its inputs. It must come out the same.
async fn made_again(
    db: &Database,
    id: uuid::Uuid,
) -> anyhow::Result<hysio_scaling::decide::Decision> {
    let stored = db.decision(id).await?.with_context(|| {
        format!(
            "no decision has the id {id}: hysio audit show --scaling names them: `decided as …`"
        )
    })?;
    let files: Files = db
        .kept_policies(&stored.policies_digest)
        .await?
        .context("the policies of that decision are not kept any more")?;
    let policies = hysio_scaling::policies::Policies::read(&files)?;
    let history: History = serde_json::from_value(stored.history)?;
    let snapshot = serde_json::from_value(stored.snapshot)?;
    let (decision, _) = decide(&policies, &history, &snapshot);
    anyhow::ensure!(
        serde_json::to_value(&decision)? == stored.decision,
        "the decision {id} comes out differently than it was stored: this hysio decides otherwise than the one that made it, or what is stored was changed"
    );
    eprintln!("made again from what was stored: the same to the byte");
    Ok(decision)
}

async fn scale(role: Role) -> anyhow::Result<()> {
    let Role {
        config,
        lifecycle,
        metrics,
    } = role;
    let db = start::connect(&config).await?;
    let policies = Current::in_force(config.scaling.policies.as_deref(), &db).await?;
    if let Some(why) = policies.refused() {
        tracing::error!(
            why,
            "the policy files are refused; the last good ones go on"
        );
    }
    found_targets(&db, &config, &policies).await?;
    let calls = notify::listen(start::direct_config(&config)?, lifecycle.soft.clone());
    let world = Arc::new(world(&config, &db)?);
    let prober = Arc::new(prober(&config, &db, world.clone(), &policies)?);
    let gone = CancellationToken::new();
    let presence = tokio::spawn(presence(&db, &metrics, &lifecycle.soft).keep(gone.clone()));
    let scaler = Scaler {
        decisions: Decisions::new(db.clone(), policies.digest()),
        db: db.clone(),
        world,
        prober,
        policies,
        holder: format!("{}/{}", crate::worker::hostname(), std::process::id()),
        tick_every: Duration::from_millis(config.scaling.tick_milliseconds),
    };
    let pool = config.pgbouncer.clone().map(|settings| {
        let stop = lifecycle.soft.clone();
        tokio::spawn(pgbouncer::keep(
            settings,
            db.clone(),
            calls.subscribe(),
            stop,
        ))
    });
    scaler.run(&calls, &lifecycle.soft).await;
    if let Some(pool) = pool {
        pool.await?;
    }
    gone.cancel();
    presence.await?;
    db.close();
    Ok(())
}

fn presence(db: &Database, metrics: &Metrics, draining: &CancellationToken) -> Presence {
    Presence {
        service: "scaler",
        address: None,
        db: db.clone(),
        tally: metrics.tally().clone(),
        draining: draining.clone(),
    }
}

/// The connections are scaled from what one process was configured with, for each process that there is at first.
async fn found_targets(db: &Database, config: &Config, policies: &Current) -> anyhow::Result<()> {
    if let Some(limit) = policies
        .policies
        .limits
        .resources
        .get(&Resource::DbConnections)
    {
        let at_first = i32::try_from(config.database.pool_size * 4).unwrap_or(limit.max);
        db.found_target(
            Resource::DbConnections,
            at_first.clamp(limit.min, limit.max),
        )
        .await?;
    }
    Ok(())
}

/// # Errors
/// When the address of Prometheus is none.
pub fn world(config: &Config, db: &Database) -> anyhow::Result<World> {
    let prometheus = config
        .scaling
        .prometheus
        .as_ref()
        .map(|server| anyhow::Ok((Prometheus::new(&server.url)?, server.queries.clone())))
        .transpose()?;
    Ok(World {
        db: db.clone(),
        idle: Duration::from_secs(config.session.idle_minutes * 60),
        machine: Machine::default(),
        prometheus,
        quotas: quotas(config),
    })
}

/// A worker of transcriptions that finds no place at the service only waits: as many as it takes are of use.
fn quotas(config: &Config) -> BTreeMap<Resource, i32> {
    let places = match config.transcription.model_workers {
        0 => std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1)),
        workers => workers,
    } + config.transcription.queue_workers;
    let mut quotas = BTreeMap::new();
    if config.transcription.engine.is_none() {
        quotas.insert(
            Resource::TranscriptionWorkers,
            i32::try_from(places).unwrap_or(i32::MAX),
        );
    }
    quotas
}

/// # Errors
/// When the audit key cannot be read.
pub fn prober(
    config: &Config,
    db: &Database,
    world: Arc<World>,
    policies: &Current,
) -> anyhow::Result<Prober> {
    let ready = |address: std::net::SocketAddr| format!("http://{address}/ready");
    Ok(Prober {
        db: db.clone(),
        world,
        trail: start::audit_keys(config)?.verifying().clone(),
        proven: tokio::sync::Mutex::default(),
        services: BTreeMap::from([
            ("app".to_owned(), ready(config.http.app)),
            ("transcription".to_owned(), ready(config.http.transcription)),
            ("diagnosecode".to_owned(), ready(config.http.diagnosecode)),
        ]),
        client: reqwest::Client::new(),
        limits: std::sync::RwLock::new(policies.policies.limits.clone()),
        backup_hours_max: config.scaling.backup_hours_max,
    })
}
