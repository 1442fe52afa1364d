//! Child processes of this machine: started, asked to end, ended.

use std::{
    ffi::OsString,
    io,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::process::{Child, Command};

/// A program to run: this very binary in another role.
#[derive(Clone, Debug)]
pub struct Program {
    pub name: &'static str,
    pub arguments: Vec<OsString>,
    /// Set in the child on top of what it inherits.
    pub environment: Vec<(String, OsString)>,
    /// Not inherited.
    pub without: Vec<&'static str>,
}

/// Where this program lay when it was first asked for. Another version that has taken its place since is what is started next.
///
/// # Errors
/// When the operating system cannot tell.
pub fn this_program() -> io::Result<PathBuf> {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    if let Some(place) = PLACE.get() {
        return Ok(place.clone());
    }
    // Asked for later, it would be the removed file.
    let place = std::env::current_exe()?;
    Ok(PLACE.get_or_init(|| place).clone())
}

/// Lets others go first, so that long computing does not slow down who waits for an answer.
///
/// # Errors
/// When the operating system refuses.
pub fn yield_to_others() -> io::Result<()> {
    rustix::process::nice(NICER)?;
    Ok(())
}

/// Enough for a request to be answered as if the engine stood still, and little loss to the engine on an idle machine.
const NICER: i32 = 10;

/// A running child. It is killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

impl Process {
    /// # Errors
    /// When the operating system cannot start it.
    pub fn start(program: &Program) -> io::Result<Self> {
        let mut command = Command::new(this_program()?);
        command.args(&program.arguments).envs(
            program
                .environment
                .iter()
                .map(|(name, value)| (name, value)),
        );
        for name in &program.without {
            command.env_remove(name);
        }
        // A group of its own: Ctrl-C on the terminal reaches the supervisor alone, which then ends its children in order.
        command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        Ok(Self {
            child: command.spawn()?,
        })
    }

    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// When the operating system cannot tell.
    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Asks it to finish what it is doing (SIGTERM), and kills it if it has not after `patience`.
    ///
    /// # Errors
    /// When the operating system cannot tell.
    pub async fn stop(mut self, patience: Duration) -> io::Result<ExitStatus> {
        if let Some(pid) = self.child.id().and_then(|id| i32::try_from(id).ok()) {
            // It may have ended in this very moment, which is what is wanted.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        match tokio::time::timeout(patience, self.child.wait()).await {
            Ok(status) => status,
            Err(_) => {
                self.child.start_kill()?;
                self.child.wait().await
            }
        }
    }
}

/// What this process has used, from Linux's `/proc`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    at: Instant,
    cpu: Duration,
    pub memory_bytes: u64,
}

impl Usage {
    /// None where there is no `/proc`.
    #[must_use]
    pub fn now() -> Option<Self> {
        let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let cpu = Duration::new(
            u64::try_from(used.tv_sec).ok()?,
            u32::try_from(used.tv_nsec).ok()?,
        );
        let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
        let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
        let page = u64::try_from(rustix::param::page_size()).ok()?;
        Some(Self {
            at: Instant::now(),
            cpu,
            memory_bytes: pages * page,
        })
    }

    /// Thousandths of a core on average since `before`.
    #[must_use]
    pub fn cpu_milli_since(&self, before: &Self) -> Option<i64> {
        let wall = self.at.checked_duration_since(before.at)?.as_micros();
        let cpu = self.cpu.checked_sub(before.cpu)?.as_micros();
        i64::try_from((cpu * 1_000).checked_div(wall)?).ok()
    }
}
