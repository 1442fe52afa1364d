//! What a running cluster writes down of itself, for `status`, `down` and whoever tests it.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use jiff::Timestamp;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::{Deserialize, Serialize};

use super::plan::Plan;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Running,
    Down,
    /// Cut off by a failover; it is not started.
    Fenced,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kept {
    pub pid: Option<u32>,
    pub phase: Phase,
    /// How often it was started.
    pub starts: u32,
    pub since: Timestamp,
    pub address: Option<SocketAddr>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    pub supervisor: u32,
    /// Whether everything was up once.
    pub ready: bool,
    pub plan: Plan,
    pub services: BTreeMap<String, Kept>,
}

impl State {
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        Self {
            supervisor: std::process::id(),
            ready: false,
            plan,
            services: BTreeMap::new(),
        }
    }

    fn file(state: &Path) -> PathBuf {
        state.join("state.json")
    }

    /// None when no cluster was ever started there.
    ///
    /// # Errors
    /// When the file does not hold a state.
    pub fn read(state: &Path) -> anyhow::Result<Option<Self>> {
        let path = Self::file(state);
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(&path)?;
        serde_json::from_str(&text)
            .map(Some)
            .with_context(|| format!("{} does not hold a cluster's state", path.display()))
    }

    pub(super) fn save(&self) -> anyhow::Result<()> {
        let path = Self::file(&self.plan.state);
        let new = path.with_extension("new");
        fs::write(&new, serde_json::to_vec_pretty(self)?)?;
        Ok(fs::rename(new, path)?)
    }

    pub(super) fn set(
        &mut self,
        name: &str,
        pid: Option<u32>,
        phase: Phase,
        address: Option<SocketAddr>,
    ) {
        let kept = self.services.entry(name.to_owned()).or_insert(Kept {
            pid: None,
            phase,
            starts: 0,
            since: Timestamp::now(),
            address,
        });
        if pid.is_some() && kept.pid != pid {
            kept.starts += 1;
        }
        (kept.pid, kept.phase, kept.since) = (pid, phase, Timestamp::now());
    }

    /// Whether its supervisor lives.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        belongs(self.supervisor, &self.plan.state)
    }
}

/// Ends what the supervisor of an earlier start left behind when it was killed.
pub(super) async fn clear_leftovers(state: &Path) -> anyhow::Result<()> {
    let Some(earlier) = State::read(state)? else {
        return Ok(());
    };
    anyhow::ensure!(
        !earlier.is_alive(),
        "a cluster runs in {} already: `hysio cluster status` shows it, `hysio cluster down` ends it",
        state.display()
    );
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let left: Vec<u32> = earlier
            .services
            .values()
            .filter_map(|kept| kept.pid)
            .filter(|pid| belongs(*pid, state))
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        for pid in &left {
            let _ = kill(Pid::from_raw(pid.cast_signed()), signal);
        }
        for _ in 0..100 {
            if !left.iter().any(|pid| belongs(*pid, state)) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
    Ok(())
}

/// Whether a process was started for the cluster in this folder: its number may be another's by now.
fn belongs(pid: u32, state: &Path) -> bool {
    let Ok(line) = fs::read(format!("/proc/{pid}/cmdline")) else {
        return false;
    };
    let line = String::from_utf8_lossy(&line).into_owned();
    let at = fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
    line.contains(&state.display().to_string()) || at.starts_with(state)
}
