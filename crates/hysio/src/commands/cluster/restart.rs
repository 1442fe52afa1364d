//! A rolling restart: each app drains, ends, comes back and is ready before the next one's turn.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{cluster::state::State, commands::up::say};

const BACK_WITHIN: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// NGINX leaves an instance out for so long after it was away (`fail_timeout`).
const LEFT_OUT: Duration = Duration::from_secs(5);

pub async fn apps(state: State) -> anyhow::Result<()> {
    let names: Vec<_> = (1..=state.plan.apps)
        .map(|number| format!("app{number}"))
        .collect();
    anyhow::ensure!(
        names.len() > 1,
        "with one app there is nobody who answers meanwhile: start the cluster with --apps 2"
    );
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(2))
        .build()?;
    for (place, name) in names.iter().enumerate() {
        if place > 0 {
            tokio::time::sleep(LEFT_OUT).await;
        }
        let begun = Instant::now();
        restart(&state, name, &client).await?;
        say(&format!(
            "{name} is back after {:.1} s",
            begun.elapsed().as_secs_f64()
        ));
    }
    Ok(())
}

async fn restart(state: &State, name: &str, client: &reqwest::Client) -> anyhow::Result<()> {
    let before = of(state, name)?;
    let (pid, address) = (
        before.0.with_context(|| format!("{name} does not run"))?,
        before.1,
    );
    kill(Pid::from_raw(pid.cast_signed()), Signal::SIGTERM)?;
    let deadline = Instant::now() + BACK_WITHIN;
    loop {
        anyhow::ensure!(
            Instant::now() < deadline,
            "{name} did not come back: see {}",
            state.plan.log(name).display()
        );
        let now = State::read(&state.plan.state)?.context("the cluster has ended")?;
        let is_new = of(&now, name)?.0.is_some_and(|now| now != pid);
        if is_new
            && client
                .get(format!("http://{address}/ready"))
                .send()
                .await
                .is_ok_and(|answer| answer.status().is_success())
        {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn of(state: &State, name: &str) -> anyhow::Result<(Option<u32>, std::net::SocketAddr)> {
    let kept = state
        .services
        .get(name)
        .with_context(|| format!("there is no {name}"))?;
    Ok((kept.pid, kept.address.context("an app has an address")?))
}
