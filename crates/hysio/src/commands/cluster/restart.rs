//! A rolling restart: each service drains, ends, comes back and is ready before the next one's turn.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use hysio_infra::postgres::{Database, scaling::instances::Instance};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    cluster::state::{Kept, State},
    commands::up::say,
    config::Config,
    start,
};

/// Loading the speech models is the longest.
const BACK_WITHIN: Duration = Duration::from_secs(180);
/// A worker finishes its job before it ends.
const FINISHED_WITHIN: Duration = Duration::from_secs(600);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// NGINX leaves an instance out for so long after it was away (`fail_timeout`).
const LEFT_OUT: Duration = Duration::from_secs(5);
/// What has no address to ask at has come back when it has lived for so long.
const LIVED: Duration = Duration::from_secs(2);

/// The apps; with `all`, first the engines and afterwards the scaler and the workers.
pub async fn run(state: State, all: bool) -> anyhow::Result<()> {
    anyhow::ensure!(
        state.plan.apps > 1,
        "with one app there is nobody who answers meanwhile: start the cluster with --apps 2"
    );
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(2))
        .build()?;
    let roles: &[&str] = if all {
        &["diagnosecode", "transcription", "app", "scaler"]
    } else {
        &["app"]
    };
    let mut of_before = "";
    for (role, name) in services(&state, roles) {
        if role == of_before {
            tokio::time::sleep(LEFT_OUT).await;
        }
        of_before = role;
        let begun = Instant::now();
        restart(&state, name, &client).await?;
        tell(name, begun);
    }
    if all && state.plan.workers {
        workers(&state).await?;
    }
    Ok(())
}

fn tell(name: &str, begun: Instant) {
    let seconds = begun.elapsed().as_secs_f64();
    say(&format!("{name} is back after {seconds:.1} s"));
}

/// With the role of each, in this order.
fn services<'a>(state: &'a State, roles: &[&'a str]) -> Vec<(&'a str, &'a str)> {
    roles
        .iter()
        .flat_map(|role| {
            let names = state.services.keys().map(String::as_str);
            let is_of =
                |name: &&str| name.trim_end_matches(|it: char| it.is_ascii_digit()) == *role;
            names.filter(is_of).map(|name| (*role, name))
        })
        .collect()
}

async fn restart(state: &State, name: &str, client: &reqwest::Client) -> anyhow::Result<()> {
    let before = of(state, name)?
        .pid
        .with_context(|| format!("{name} does not run"))?;
    ask_to_end(before)?;
    let deadline = Instant::now() + BACK_WITHIN;
    loop {
        anyhow::ensure!(
            Instant::now() < deadline,
            "{name} did not come back: see {}",
            state.plan.log(name).display()
        );
        tokio::time::sleep(LOOK_EVERY).await;
        let now = State::read(&state.plan.state)?.context("the cluster has ended")?;
        let now = of(&now, name)?;
        if now.pid.is_some_and(|pid| pid != before) && is_back(now, client).await {
            return Ok(());
        }
    }
}

async fn is_back(service: &Kept, client: &reqwest::Client) -> bool {
    let Some(address) = service.address else {
        tokio::time::sleep(LIVED).await;
        return service.pid.is_some_and(lives);
    };
    let asked = client.get(format!("http://{address}/ready")).send().await;
    asked.is_ok_and(|answer| answer.status().is_success())
}

fn of<'a>(state: &'a State, name: &str) -> anyhow::Result<&'a Kept> {
    state
        .services
        .get(name)
        .with_context(|| format!("there is no {name}"))
}

fn ask_to_end(pid: u32) -> anyhow::Result<()> {
    Ok(kill(Pid::from_raw(pid.cast_signed()), Signal::SIGTERM)?)
}

fn lives(pid: u32) -> bool {
    kill(Pid::from_raw(pid.cast_signed()), None).is_ok()
}

/// The supervisor starts another for each that ends.
async fn workers(state: &State) -> anyhow::Result<()> {
    let config = Config::load(Some(&state.plan.hysio_config()))?;
    hysio_infra::trust::also(&state.plan.tls("ca.pem"))?;
    let db = start::connect(&config).await?;
    for worker in of_workers(&db).await? {
        let begun = Instant::now();
        ask_to_end(worker.pid.cast_unsigned())?;
        until_replaced(&db, &worker).await?;
        let resource = worker.resource.as_deref().unwrap_or("worker");
        tell(&format!("one of the {resource}"), begun);
    }
    Ok(())
}

async fn of_workers(db: &Database) -> anyhow::Result<Vec<Instance>> {
    let all = db.instances().await?;
    let is_ready = |it: &Instance| it.service == "worker" && it.ready_at.is_some() && !it.leaving;
    Ok(all.into_iter().filter(is_ready).collect())
}

async fn until_replaced(db: &Database, worker: &Instance) -> anyhow::Result<()> {
    let deadline = Instant::now() + FINISHED_WITHIN;
    loop {
        let now = of_workers(db).await?;
        let another = now.iter().any(|it| {
            it.resource == worker.resource
                && it.id != worker.id
                && it.started_at > worker.started_at
        });
        if another && !lives(worker.pid.cast_unsigned()) {
            return Ok(());
        }
        anyhow::ensure!(
            Instant::now() < deadline,
            "the worker with process {} has not ended",
            worker.pid
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
