//! `hysio cluster up|status|restart|down`: a whole installation on this machine.

mod restart;
mod status;

use std::{
    fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::up::say;
use crate::{
    cluster::{
        Cluster,
        plan::{self, Plan},
        restored,
        state::State,
    },
    config::Config,
    start::{self, ConfigArgument},
};

/// The first start founds databases and copies them.
const UP_WITHIN: Duration = Duration::from_secs(300);
const DOWN_WITHIN: Duration = Duration::from_secs(180);
const LOOK_EVERY: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub struct Command {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Start everything, and return when it is ready.
    Up(Up),
    /// Show what runs.
    Status(Status),
    /// Restart the apps one after another, without a failed request.
    Restart(Restart),
    /// Restore the database of a cluster that is down, as it was at a moment.
    Restore(Restore),
    /// End everything. The data is kept.
    Down(Place),
}

#[derive(Clone, Debug, Args)]
struct Place {
    #[command(flatten)]
    config: ConfigArgument,
    /// Where the cluster keeps everything; `cluster` in the data directory if not said.
    #[arg(long, value_name = "FOLDER")]
    state: Option<PathBuf>,
}

impl Place {
    fn folder(&self, config: &Config) -> anyhow::Result<PathBuf> {
        let folder = self
            .state
            .clone()
            .unwrap_or_else(|| plan::state_in(&config.paths.data));
        Ok(std::path::absolute(folder)?)
    }

    /// The cluster that runs there.
    fn running(&self) -> anyhow::Result<State> {
        let folder = self.folder(&self.config.load()?)?;
        State::read(&folder)?
            .filter(State::is_alive)
            .with_context(|| {
                format!(
                    "no cluster runs in {}: `hysio cluster up` starts one",
                    folder.display()
                )
            })
    }
}

#[derive(Debug, Args)]
struct Status {
    #[command(flatten)]
    place: Place,
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Restart {
    #[command(flatten)]
    place: Place,
    /// Everything of Hysio's own: the engines, the scaler and the workers too, which finish what they are doing. With another
    /// version put in this program's place, this is the upgrade; run its `hysio migrate` first.
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Args)]
struct Restore {
    #[command(flatten)]
    place: Place,
    /// The moment to go back to, such as 2026-03-01T11:59:00Z. Without it, all there is in the archive.
    #[arg(long, value_name = "TIMESTAMP")]
    until: Option<Timestamp>,
}

impl Restore {
    async fn run(self) -> anyhow::Result<()> {
        let folder = self.place.folder(&self.place.config.load()?)?;
        let state = State::read(&folder)?
            .with_context(|| format!("no cluster was ever started in {}", folder.display()))?;
        anyhow::ensure!(
            !state.is_alive(),
            "the cluster runs: end it first with `hysio cluster down`"
        );
        anyhow::ensure!(
            self.until.is_none_or(|until| until <= Timestamp::now()),
            "--until has not come yet"
        );
        anyhow::ensure!(
            state.plan.backups,
            "the cluster was started with --no-backups: there is nothing to restore from"
        );
        say(&restored::restore(&state.plan, self.until).await?);
        say(
            "start it with `hysio cluster up`: the log is replayed up to that moment, and the replicas are made anew",
        );
        Ok(())
    }
}

#[derive(Debug, Args)]
struct Up {
    #[command(flatten)]
    place: Place,
    /// The first of a hundred ports; HTTPS is there.
    #[arg(long, default_value_t = 7400)]
    base_port: u16,
    #[arg(long, default_value_t = 2)]
    apps: u16,
    #[arg(long, default_value_t = 2)]
    transcription: u16,
    #[arg(long, default_value_t = 2)]
    diagnosecode: u16,
    /// Megabytes for each PostgreSQL.
    #[arg(long, default_value_t = 512)]
    database_megabytes: u64,
    /// Start no workers.
    #[arg(long)]
    no_workers: bool,
    /// Start no scaler.
    #[arg(long)]
    no_scaler: bool,
    #[arg(long)]
    no_redis: bool,
    #[arg(long)]
    no_prometheus: bool,
    /// Archive no log and make no backups.
    #[arg(long)]
    no_backups: bool,
    /// Stay here, and end everything with Ctrl-C.
    #[arg(long)]
    foreground: bool,
}

impl Command {
    pub fn run(self) -> anyhow::Result<()> {
        match self.what {
            What::Up(up) => up.run(),
            What::Status(it) => status::show(&it.place.running()?, it.json),
            What::Restart(it) => super::block_on(restart::run(it.place.running()?, it.all)),
            What::Restore(it) => super::block_on(it.run()),
            What::Down(place) => down(&place.running()?),
        }
    }
}

impl Up {
    fn plan(&self, config: &Config) -> anyhow::Result<Plan> {
        let plan = Plan {
            state: self.place.folder(config)?,
            base_port: self.base_port,
            apps: self.apps,
            transcription: self.transcription,
            diagnosecode: self.diagnosecode,
            workers: !self.no_workers,
            scaler: !self.no_scaler,
            redis: !self.no_redis,
            prometheus: !self.no_prometheus,
            backups: !self.no_backups,
            database_megabytes: self.database_megabytes,
        };
        plan.check()?;
        Ok(plan)
    }

    fn run(self) -> anyhow::Result<()> {
        let config = self.place.config.load()?;
        let plan = self.plan(&config)?;
        if !self.foreground {
            return detached(&plan);
        }
        start::run(&self.place.config, move |role| async move {
            Cluster::prepare(plan)
                .await?
                .run(&role.config, &role.lifecycle)
                .await
        })
    }
}

/// Starts the supervisor as a process of its own, and waits until everything is up.
fn detached(plan: &Plan) -> anyhow::Result<()> {
    if let Some(state) = State::read(&plan.state)?.filter(State::is_alive) {
        anyhow::ensure!(
            state.ready,
            "the cluster in {} is being started already",
            plan.state.display()
        );
        say("the cluster is up already");
        return status::show(&state, false);
    }
    fs::create_dir_all(plan.state.join("log"))?;
    let path = plan.log("cluster");
    let log = fs::File::create(&path)?;
    let mut supervisor = std::process::Command::new(std::env::current_exe()?);
    supervisor
        .args(std::env::args_os().skip(1))
        .arg("--foreground")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0);
    let mut child = supervisor.spawn()?;
    let begun = Instant::now();
    let mut told = 0;
    loop {
        told = tell(&path, told)?;
        if let Some(status) = child.try_wait()? {
            anyhow::bail!(
                "the cluster did not come up ({status}): see {}",
                path.display()
            );
        }
        let state = State::read(&plan.state)?;
        if state.is_some_and(|state| state.supervisor == child.id() && state.ready) {
            tell(&path, told)?;
            return Ok(());
        }
        anyhow::ensure!(
            begun.elapsed() < UP_WITHIN,
            "the cluster is not up yet: see {}",
            path.display()
        );
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Passes on what was written for people since the last look; the rest is the log's.
fn tell(path: &Path, told: usize) -> anyhow::Result<usize> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let end = text.rfind('\n').map_or(0, |at| at + 1);
    for line in text.get(told..end).unwrap_or_default().lines() {
        if !line.starts_with('{') && !line.contains(" INFO ") && !line.contains(" WARN ") {
            println!("{line}");
        }
    }
    Ok(end)
}

fn down(state: &State) -> anyhow::Result<()> {
    let supervisor = Pid::from_raw(state.supervisor.cast_signed());
    kill(supervisor, Signal::SIGTERM).context("the cluster's supervisor cannot be asked to end")?;
    let begun = Instant::now();
    while state.is_alive() {
        anyhow::ensure!(
            begun.elapsed() < DOWN_WITHIN,
            "the cluster is still ending: see {}",
            state.plan.log("cluster").display()
        );
        std::thread::sleep(LOOK_EVERY);
    }
    say("the cluster is down; its data is kept");
    Ok(())
}
