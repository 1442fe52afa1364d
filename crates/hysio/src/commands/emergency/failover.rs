//! `hysio emergency failover`: another server becomes the primary, and nothing that was acknowledged is lost.
//!
//! Look, choose, cut off, wait, promote, switch over, prove, bring back; each step is timed, and all of it stands in the audit
//! trail. Nothing is promoted before the former primary is cut off: two primaries would be worse than none.

mod choice;
mod servers;

use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use comfy_table::{Table, presets::UTF8_HORIZONTAL_ONLY};
use hysio_infra::postgres::stages;
use serde_json::json;

use self::{
    choice::{Choice, choose, furthest},
    servers::Servers,
};
use crate::{
    config::{Config, PgBouncer},
    pgbouncer, start,
};

/// How long callers may be held up before a planned switch-over is called off.
const PAUSE_WITHIN: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(15);

#[derive(Debug, Args)]
pub struct Command {
    /// The primary is well: hold callers up for a moment, stop it in order, and lose not even a request.
    #[arg(long)]
    planned: bool,
    /// Go on although a replica does not answer that may have what no other has.
    #[arg(long)]
    accept_possible_loss: bool,
    /// Why: it stands in the audit trail. No patient data.
    #[arg(long)]
    why: String,
    #[arg(long)]
    json: bool,
}

/// The steps and how long each took.
#[derive(Default)]
struct Log {
    steps: Vec<(&'static str, Duration)>,
}

impl Log {
    async fn step<T>(
        &mut self,
        name: &'static str,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        eprintln!("{name} …");
        let begun = Instant::now();
        let done = work
            .await
            .with_context(|| format!("the failover stopped at: {name}"));
        self.steps.push((name, begun.elapsed()));
        done
    }
}

impl Command {
    pub async fn run(self, config: &Config) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.why.trim().chars().count() >= 5,
            "--why is {:?}: say in a few words why, for whoever reads the audit trail",
            self.why
        );
        let settings = config
            .failover
            .as_ref()
            .context("failover is not configured: name the servers under `failover`")?;
        let pooler = config
            .pgbouncer
            .as_ref()
            .context("pgbouncer is not configured: it is what callers are switched over by")?;
        let servers = Servers::new(settings);
        let mut log = Log::default();
        let begun = Instant::now();
        let seen = log
            .step("looking at the servers", async { Ok(servers.look().await) })
            .await?;
        let choice = choose(&seen, self.planned, self.accept_possible_loss)?;
        if self.planned {
            log.step("holding callers up", pause(pooler)).await?;
        }
        let switched = self
            .switch(&servers, pooler, &choice, settings.port, &mut log)
            .await;
        if self.planned {
            let resumed = log.step("letting callers go on", resume(pooler)).await;
            switched
                .as_ref()
                .map_err(|error| anyhow::anyhow!("{error:#}"))?;
            resumed?;
        }
        let new = switched?;
        let writable = begun.elapsed();
        let trail = log
            .step(
                "proving the audit trail",
                patiently(async || prove(config).await),
            )
            .await?;
        let back = log
            .step("bringing the former primary back", async {
                if servers.rejoin(&choice.cut_off).await? {
                    let (primary, replicas) = servers.all_with(&new)?;
                    pgbouncer::point(pooler, &primary, &replicas, settings.port).await?;
                }
                Ok(())
            })
            .await;
        let done = Done {
            new,
            choice,
            writable,
            trail,
            log,
            back,
        };
        patiently(async || done.record(config, &self.why).await).await?;
        done.print(self.json);
        done.back
    }

    /// Returns the name of the new primary.
    async fn switch(
        &self,
        servers: &Servers<'_>,
        pooler: &PgBouncer,
        choice: &Choice,
        port: u16,
        log: &mut Log,
    ) -> anyhow::Result<String> {
        log.step(
            "cutting the former primary off",
            servers.fence(&choice.cut_off),
        )
        .await?;
        // Only now nobody receives any more: whoever has most has all that was acknowledged.
        let seen = log
            .step("comparing what the replicas have", async {
                Ok(servers.look().await)
            })
            .await?;
        let new = furthest(&seen, &choice.candidates).context("no replica answers any more")?;
        log.step("replaying the rest", servers.replay(&new)).await?;
        log.step("promoting", servers.promote(&new)).await?;
        let primary = servers.host(&new)?;
        let others: Vec<_> = choice
            .candidates
            .iter()
            .filter(|name| **name != new)
            .collect();
        let replicas = others
            .iter()
            .map(|name| servers.host(name))
            .collect::<anyhow::Result<Vec<_>>>()?;
        log.step(
            "switching callers over",
            pgbouncer::point(pooler, &primary, &replicas, port),
        )
        .await?;
        Ok(new)
    }
}

/// PgBouncer refuses callers for a moment after it could not reach the former primary.
async fn patiently<T>(work: impl AsyncFn() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match work().await {
            Err(_) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            done => return done,
        }
    }
}

async fn pause(pooler: &PgBouncer) -> anyhow::Result<()> {
    let admin = pgbouncer::connect(pooler).await?;
    let paused = tokio::time::timeout(PAUSE_WITHIN, admin.simple_query("PAUSE hysio")).await;
    if let Ok(paused) = paused {
        paused?;
        return Ok(());
    }
    resume(pooler).await?;
    anyhow::bail!(
        "transactions went on for more than {} s, so callers were let go on",
        PAUSE_WITHIN.as_secs()
    )
}

async fn resume(pooler: &PgBouncer) -> anyhow::Result<()> {
    let admin = pgbouncer::connect(pooler).await?;
    // Not paused any more, which is what is wanted.
    let _ = admin.simple_query("RESUME hysio").await;
    Ok(())
}

/// Every entry of the trail on the new primary, against the signatures. Returns how many there are.
async fn prove(config: &Config) -> anyhow::Result<u64> {
    let db = start::connect(config).await?;
    let keys = start::audit_keys(config)?;
    let report = db.verify_audit(keys.verifying()).await?;
    anyhow::ensure!(
        report.is_proven(),
        "the audit trail is not proven: `hysio audit verify` tells why"
    );
    Ok(report.entries)
}

struct Done {
    new: String,
    choice: Choice,
    /// Until callers could write again.
    writable: Duration,
    trail: u64,
    log: Log,
    back: anyhow::Result<()>,
}

impl Done {
    fn steps(&self) -> serde_json::Value {
        let steps = self.log.steps.iter();
        steps
            .map(|(name, took)| json!({ "step": name, "milliseconds": took.as_millis() }))
            .collect()
    }

    async fn record(&self, config: &Config, why: &str) -> anyhow::Result<()> {
        let details = json!({
            "cut_off": self.choice.cut_off, "why": why, "steps": self.steps(),
            "writable_after_milliseconds": self.writable.as_millis(), "proven_entries": self.trail,
        });
        let user = crate::commands::scale::user();
        let entry = stages::audit(
            None,
            &user,
            "database.failover",
            ("database", self.new.clone()),
            details,
        );
        let tx = start::connect(config).await?.platform_tx().await?;
        Ok(tx.commit(&[entry]).await?)
    }

    fn print(&self, json: bool) {
        if json {
            println!(
                "{:#}",
                json!({
                    "primary": self.new, "cut_off": self.choice.cut_off, "steps": self.steps(),
                    "writable_after_milliseconds": self.writable.as_millis(), "proven_entries": self.trail,
                    "back": self.back.is_ok(),
                })
            );
            return;
        }
        let mut table = Table::new();
        table
            .load_style(UTF8_HORIZONTAL_ONLY)
            .set_header(["step", "took"]);
        for (name, took) in &self.log.steps {
            table.add_row([(*name).to_owned(), format!("{:.2} s", took.as_secs_f64())]);
        }
        println!("{table}");
        println!(
            "{} is the primary; callers could write again after {:.2} s. The trail of {} entries is proven.",
            self.new,
            self.writable.as_secs_f64(),
            self.trail
        );
    }
}
