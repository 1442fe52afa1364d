//! What the processes of `hysio up` use, from `/proc`.

use std::{fs, time::Instant};

use anyhow::Context as _;
use serde::Serialize;

/// Linux counts processor time in hundredths of a second (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// The processes that are watched.
pub struct Processes {
    app: u32,
    postmaster: u32,
}

/// Processor seconds so far.
pub struct Sample {
    at: Instant,
    app: f64,
    postgres: f64,
    generator: f64,
    machine: f64,
    app_peak_mib: f64,
}

/// Shares of one core (2.0 is two whole cores), and memory.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Usage {
    pub app_cores: f64,
    pub postgres_cores: f64,
    pub generator_cores: f64,
    /// Everything else on the machine, whosever it is.
    pub other_cores: f64,
    /// The most memory the app has had since its start.
    pub app_peak_mib: f64,
}

impl Processes {
    /// Those of the `hysio up` with this process id.
    pub fn of(up: u32) -> anyhow::Result<Self> {
        let children: Vec<Process> = all()?.into_iter().filter(|p| p.parent == up).collect();
        let app = children.iter().find(|child| child.is_role("app"));
        let postmaster = children.iter().find(|child| child.name == "postgres");
        Ok(Self {
            app: app.context("process has no app among its children")?.id,
            postmaster: postmaster
                .context("process has no postgres among its children")?
                .id,
        })
    }

    pub fn sample(&self) -> anyhow::Result<Sample> {
        let all = all()?;
        let used = |id| {
            all.iter()
                .filter(|p| p.id == id)
                .map(|p| p.own)
                .sum::<f64>()
        };
        let backends = all.iter().filter(|p| p.parent == self.postmaster);
        let ended = all.iter().filter(|p| p.id == self.postmaster);
        Ok(Sample {
            at: Instant::now(),
            app: used(self.app),
            postgres: used(self.postmaster)
                + backends.map(|p| p.own).sum::<f64>()
                + ended.map(|p| p.children).sum::<f64>(),
            generator: used(std::process::id()),
            machine: machine()?,
            app_peak_mib: peak_mib(self.app)?,
        })
    }
}

impl Sample {
    pub fn since(&self, before: &Self) -> Usage {
        let seconds = (self.at - before.at).as_secs_f64();
        let app = (self.app - before.app) / seconds;
        let postgres = (self.postgres - before.postgres) / seconds;
        let generator = (self.generator - before.generator) / seconds;
        let machine = (self.machine - before.machine) / seconds;
        Usage {
            app_cores: app,
            postgres_cores: postgres,
            generator_cores: generator,
            other_cores: (machine - app - postgres - generator).max(0.0),
            app_peak_mib: self.app_peak_mib,
        }
    }
}

struct Process {
    id: u32,
    parent: u32,
    name: String,
    own: f64,
    /// Of the children that have ended.
    children: f64,
}

impl Process {
    fn is_role(&self, role: &str) -> bool {
        let line = fs::read(format!("/proc/{}/cmdline", self.id)).unwrap_or_default();
        line.split(|byte| *byte == 0).nth(1) == Some(role.as_bytes())
    }
}

fn all() -> anyhow::Result<Vec<Process>> {
    let entries = fs::read_dir("/proc").context("/proc cannot be read")?;
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    // One that ends meanwhile is gone.
    Ok(ids.filter_map(process).collect())
}

/// The name is in parentheses and may hold anything; the numbers after it are those of proc(5), the third on.
fn process(id: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (name, numbers) = stat.split_once('(')?.1.rsplit_once(')')?;
    let numbers: Vec<&str> = numbers.split_whitespace().collect();
    let ticks = |at: usize| numbers.get(at)?.parse::<f64>().ok();
    Some(Process {
        id,
        parent: numbers.get(1)?.parse().ok()?,
        name: name.to_owned(),
        own: (ticks(11)? + ticks(12)?) / TICKS_PER_SECOND,
        children: (ticks(13)? + ticks(14)?) / TICKS_PER_SECOND,
    })
}

/// Processor seconds of the whole machine that were not idle.
fn machine() -> anyhow::Result<f64> {
    let stat = fs::read_to_string("/proc/stat").context("/proc/stat cannot be read")?;
    let line = stat.lines().next().context("/proc/stat is empty")?;
    let ticks: Vec<f64> = line
        .split_whitespace()
        .filter_map(|n| n.parse().ok())
        .collect();
    // user nice system idle iowait irq softirq steal
    let busy = [0_usize, 1, 2, 5, 6]
        .into_iter()
        .filter_map(|at| ticks.get(at));
    Ok(busy.sum::<f64>() / TICKS_PER_SECOND)
}

fn peak_mib(id: u32) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))
        .context("the app has ended: the reason is in its log")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes: f64 = line
        .and_then(|line| line.split_whitespace().next())
        .context("the system does not tell the app's memory")?
        .parse()?;
    Ok(kibibytes / 1_024.0)
}
