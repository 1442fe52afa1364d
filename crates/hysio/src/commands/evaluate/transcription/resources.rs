//! CPU time and peak memory of this process, from Linux's `/proc`; elsewhere they are not known.

use std::fs;

/// Linux gives CPU times in hundredths of a second, on every architecture (USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;

pub struct Resources {
    pub cpu_seconds: Option<f64>,
    pub peak_megabytes: Option<f64>,
}

impl Resources {
    /// Since the process started.
    pub fn used() -> Self {
        Self {
            cpu_seconds: fs::read_to_string("/proc/self/stat")
                .ok()
                .and_then(|stat| cpu_seconds(&stat)),
            peak_megabytes: fs::read_to_string("/proc/self/status")
                .ok()
                .and_then(|status| peak_megabytes(&status)),
        }
    }
}

/// User and system time are fields 14 and 15; field 2, the name, may hold spaces and ends with the last bracket.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

fn peak_megabytes(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_lines_are_read() {
        let stat = "42 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        let status = "Name:\thysio\nVmHWM:\t  2048 kB\n";
        assert_eq!(peak_megabytes(status), Some(2.0));
    }
}
