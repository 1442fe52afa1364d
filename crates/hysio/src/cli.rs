//! The command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::commands::{
    app, audit, backup, capacity, cluster, code, codes, conformance, diagnosecode, doctor,
    emergency, evaluate, facility, keys, load, migrate, openapi, partition, scale, scaler,
    simulate, transcribe, transcription, up, user, worker,
};

/// Clinical documentation: dictation in, coded record out.
#[derive(Debug, Parser)]
#[command(name = "hysio", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything on this machine: database, app, transcription, diagnosecode and a worker.
    Up(up::Command),
    /// Run a whole installation on this machine: PostgreSQL with replicas, PgBouncer, Redis, NGINX, Prometheus.
    Cluster(cluster::Command),
    /// Run the app: API and pages (:3000).
    App(app::Command),
    /// Run the transcription service (:8080).
    Transcription(transcription::Command),
    /// Run the diagnosecode service (:8081).
    Diagnosecode(diagnosecode::Command),
    /// Run a queue worker.
    Worker(worker::Command),
    /// Run the scaler: observe, decide, change, prove.
    Scaler(scaler::Command),
    /// Change one count by hand, as an audited transaction.
    Scale(scale::Command),
    /// Declare an emergency, look at it, or stand down.
    Emergency(emergency::Command),
    /// Go through the scaling checklist without changing anything.
    Doctor(doctor::Command),
    /// Transcribe an audio file.
    Transcribe(transcribe::Command),
    /// Suggest diagnosis codes for a text.
    Code(code::Command),
    /// Build, show and search the catalogue of diagnosis codes.
    Codes(codes::Command),
    /// Plan capacity: patterns, forecasts, replicas for an objective, cost.
    Capacity(capacity::Command),
    /// Replay a trace of demand against policies, in a world with trouble.
    Simulate(simulate::Command),
    /// Put an installation under load, and count what was acknowledged.
    Load(load::Command),
    /// Measure the engines and forecasts against references.
    Evaluate(evaluate::Command),
    /// Replay what Kubernetes and KEDA decided, and compare.
    Conformance(conformance::Command),
    /// Read and prove the audit trail.
    Audit(audit::Command),
    /// Back up this machine, prove backups, and restore them.
    Backup(backup::Command),
    /// Bring the database's schema up to date.
    Migrate(migrate::Command),
    /// Show how the records are spread over partitions, and divide one that has grown, while everybody works.
    Partition(partition::Command),
    /// Make and rotate encryption keys.
    Keys(keys::Command),
    /// Add and list facilities.
    Facility(facility::Command),
    /// Add people who sign in.
    User(user::Command),
    /// Print the API's description (OpenAPI).
    Openapi(openapi::Command),
}

impl Cli {
    /// Runs the command; an error goes to standard error with its whole chain, and the exit code is 1.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let result = match self.command {
            Command::Up(command) => command.run(),
            Command::Cluster(command) => command.run(),
            Command::App(command) => command.run(),
            Command::Transcription(command) => command.run(),
            Command::Diagnosecode(command) => command.run(),
            Command::Worker(command) => command.run(),
            Command::Scaler(command) => command.run(),
            Command::Scale(command) => command.run(),
            Command::Emergency(command) => command.run(),
            Command::Doctor(command) => command.run(),
            Command::Partition(command) => command.run(),
            Command::Audit(command) => command.run(),
            Command::Backup(command) => command.run(),
            Command::Migrate(command) => command.run(),
            Command::Keys(command) => command.run(),
            Command::Facility(command) => command.run(),
            Command::User(command) => command.run(),
            Command::Openapi(command) => command.run(),
            Command::Transcribe(command) => command.run(),
            Command::Code(command) => command.run(),
            Command::Codes(command) => command.run(),
            Command::Capacity(command) => command.run(),
            Command::Simulate(command) => command.run(),
            Command::Load(command) => command.run(),
            Command::Evaluate(command) => command.run(),
            Command::Conformance(command) => command.run(),
        };
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("hysio: {error:#}");
                ExitCode::FAILURE
            }
        }
    }
}
