//! `hysio doctor`: goes through the scaling checklist, and changes nothing.

use std::sync::Arc;

use clap::Args;
use hysio_control::{
    ports::Probes as _,
    transaction::{Change, TransactionId},
};
use hysio_scaling::{
    Resource,
    gates::{self, Report},
};
use jiff::Timestamp;

use super::scaler;
use crate::{
    config::Config,
    scaler::policy_files::Current,
    start::{self, ConfigArgument},
};

#[derive(Debug, Args)]
pub struct Command {
    #[command(flatten)]
    config: ConfigArgument,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Command {
    /// # Errors
    /// When an item does not hold.
    pub fn run(self) -> anyhow::Result<()> {
        let config = self.config.load()?;
        super::block_on(async { self.examine(&config).await })
    }

    async fn examine(&self, config: &Config) -> anyhow::Result<()> {
        let db = start::connect(config).await?;
        let policies = Current::in_force(config.scaling.policies.as_deref(), &db).await?;
        super::scaler::tell_refused(&policies);
        let world = Arc::new(scaler::world(config, &db)?);
        let prober = scaler::prober(config, &db, world, &policies)?;
        let targets = db.targets().await?;
        let target = targets
            .iter()
            .find(|target| target.resource == Resource::TranscriptionWorkers);
        // A change that changes nothing: the checklist as it would be gone through now.
        let count = target.map_or(1, |target| target.desired);
        let change = Change {
            id: TransactionId::new(),
            resource: Resource::TranscriptionWorkers,
            old: count,
            new: count,
            justification: "doctor".to_owned(),
            user: super::scale::user(),
            pid: std::process::id(),
            generation: 0,
            plan: None,
            ready_within_seconds: 0,
            took_over: None,
        };
        let (facts, baseline) = prober.before(&change).await;
        let reports = [
            ("before", gates::before(&facts)),
            ("during", gates::during(&prober.during(&change).await)),
            (
                "after",
                gates::after(&prober.after(&change, &baseline, Timestamp::now()).await),
            ),
        ];
        if self.json {
            let all: std::collections::BTreeMap<_, _> = reports.iter().cloned().collect();
            println!("{}", serde_json::to_string_pretty(&all)?);
        } else {
            for (when, report) in &reports {
                print_report(when, report);
            }
        }
        let failing: Vec<String> = reports
            .iter()
            .filter(|(_, report)| !report.passed())
            .map(|(when, report)| format!("{when}: {}", report.why_not()))
            .collect();
        anyhow::ensure!(
            failing.is_empty(),
            "not fit to be scaled – {}",
            failing.join("; ")
        );
        Ok(())
    }
}

/// The findings of one look, as a table that a screen reader can follow too.
pub fn print_report(when: &str, report: &Report) {
    let mut table = super::table::table();
    table.set_header([when, "verdict", "facts"]);
    for finding in &report.findings {
        table.add_row([
            finding.gate.question(),
            finding.verdict.as_str(),
            &finding.facts,
        ]);
    }
    println!("{table}\n");
}
