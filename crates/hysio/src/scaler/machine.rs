//! How busy this machine is, from Linux's `/proc`.

use std::{fs, sync::Mutex};

/// Shares in percent. None where `/proc` does not say.
#[derive(Default)]
pub struct Machine {
    before: Mutex<Option<Times>>,
}

#[derive(Clone, Copy)]
struct Times {
    busy: u64,
    all: u64,
}

impl Machine {
    /// Since the last call; since the machine's start at the first.
    pub fn cpu_percent(&self) -> Option<f64> {
        let now = times(&fs::read_to_string("/proc/stat").ok()?)?;
        let before = self
            .before
            .lock()
            .expect("nobody panics while holding it")
            .replace(now)
            .unwrap_or(Times { busy: 0, all: 0 });
        percent(
            now.busy.checked_sub(before.busy)?,
            now.all.checked_sub(before.all)?,
        )
    }

    /// Memory that is in use and cannot simply be given back.
    pub fn memory_percent(&self) -> Option<f64> {
        let text = fs::read_to_string("/proc/meminfo").ok()?;
        let field = |name: &str| -> Option<u64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix("kB")?.trim().parse().ok()
        };
        let all = field("MemTotal:")?;
        percent(all.checked_sub(field("MemAvailable:")?)?, all)
    }
}

/// The first line: user, nice, system, idle, iowait, irq, softirq, steal.
fn times(stat: &str) -> Option<Times> {
    let fields: Vec<u64> = stat
        .lines()
        .next()?
        .strip_prefix("cpu ")?
        .split_whitespace()
        .take(8)
        .filter_map(|field| field.parse().ok())
        .collect();
    let all: u64 = fields.iter().sum();
    let idle = fields.get(3)? + fields.get(4)?;
    Some(Times {
        busy: all - idle,
        all,
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "ticks and kilobytes are far below 2^52"
)]
fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| 100.0 * part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_and_waiting_for_disks_is_not_busy() {
        let seen = times("cpu  10 0 20 60 10 0 0 0 0 0\ncpu0 1 1 1 1\n").unwrap();
        assert_eq!((seen.busy, seen.all), (30, 100));
        assert_eq!(percent(seen.busy, seen.all), Some(30.0));
        assert_eq!(percent(0, 0), None);
    }
}
