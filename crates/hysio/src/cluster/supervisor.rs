//! Keeps the processes of a cluster: starts again what ends, lets nothing run that is fenced off, ends all in order.

use std::{
    ffi::OsString,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use hysio_control::supervise::{History, Next};
use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::{Pid, User},
};
use tokio::{
    process::{Child, Command},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::state::{Phase, State};

/// How often a service looks whether it was fenced off.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long a service may take to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Before a service that ends again and again is tried once more.
const REST: Duration = Duration::from_secs(15);
/// One that is cut off may hang, and callers wait.
const FENCED_WITHIN: Duration = Duration::from_secs(3);

/// How a service is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    Terminate,
    Interrupt,
    Quit,
}

/// One process to be kept.
#[derive(Clone)]
pub struct Service {
    pub name: String,
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    pub environment: Vec<(String, OsString)>,
    /// Whether it gets our own environment too.
    pub inherits: bool,
    pub directory: Option<PathBuf>,
    pub user: Option<User>,
    pub fence: Option<PathBuf>,
    pub stop: Stop,
    /// Where its output goes; nowhere if it writes a log itself.
    pub log: Option<PathBuf>,
    pub address: Option<SocketAddr>,
}

impl Service {
    #[must_use]
    pub fn new(name: &str, program: &Path) -> Self {
        Self {
            name: name.to_owned(),
            program: program.to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            inherits: false,
            directory: None,
            user: None,
            fence: None,
            stop: Stop::Terminate,
            log: None,
            address: None,
        }
    }

    fn start(&self) -> anyhow::Result<Child> {
        let mut command = if self.inherits {
            Command::new(&self.program)
        } else {
            super::command(&self.program, self.user.as_ref())
        };
        command.args(&self.arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command.stdin(Stdio::null());
        match &self.log {
            Some(log) => {
                let file = fs::OpenOptions::new().create(true).append(true).open(log)?;
                command.stdout(file.try_clone()?).stderr(file);
            }
            None => {
                command.stdout(Stdio::null()).stderr(Stdio::null());
            }
        }
        // A group of its own: Ctrl-C reaches the supervisor alone, which ends everything in order.
        command.process_group(0).kill_on_drop(true);
        command
            .spawn()
            .with_context(|| format!("{} cannot be started", self.program.display()))
    }

    fn is_fenced(&self) -> bool {
        self.fence.as_ref().is_some_and(|fence| fence.exists())
    }

    async fn end(&self, mut child: Child, patience: Duration) {
        let signal = match self.stop {
            Stop::Terminate => Signal::SIGTERM,
            Stop::Interrupt => Signal::SIGINT,
            Stop::Quit => Signal::SIGQUIT,
        };
        if let Some(pid) = child.id() {
            let _ = kill(Pid::from_raw(pid.cast_signed()), signal);
        }
        if tokio::time::timeout(patience, child.wait()).await.is_err() {
            tracing::warn!(service = self.name, "did not end in time and is killed");
            let _ = child.kill().await;
        }
    }
}

struct Kept {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

pub struct Supervisor {
    kept: Vec<Kept>,
    state: Arc<Mutex<State>>,
}

impl Supervisor {
    #[must_use]
    pub fn new(state: State) -> Self {
        Self {
            kept: Vec::new(),
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Starts a service, and keeps it from now on.
    ///
    /// # Errors
    /// When its program cannot be started at all.
    pub fn add(&mut self, service: Service) -> anyhow::Result<()> {
        let first = if service.is_fenced() {
            None
        } else {
            Some(service.start()?)
        };
        let stop = CancellationToken::new();
        let keeping = keep(service, first, stop.clone(), self.state.clone());
        self.kept.push(Kept {
            stop,
            task: tokio::spawn(keeping),
        });
        Ok(())
    }

    /// How many services there are: a mark for [`Supervisor::end_from`].
    #[must_use]
    pub fn mark(&self) -> usize {
        self.kept.len()
    }

    /// Ends all services that were added since the mark, at once.
    pub async fn end_from(&mut self, mark: usize) {
        let ending: Vec<_> = self.kept.drain(mark.min(self.kept.len())..).collect();
        for service in &ending {
            service.stop.cancel();
        }
        for service in ending {
            let _ = service.task.await;
        }
    }

    pub fn note(&self, change: impl FnOnce(&mut State)) {
        note(&self.state, change);
    }
}

fn note(state: &Mutex<State>, change: impl FnOnce(&mut State)) {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    change(&mut state);
    if let Err(error) = state.save() {
        tracing::warn!(%error, "the cluster's state could not be written down");
    }
}

/// How a turn of a service ended.
enum Turn {
    Stopped,
    Fenced,
    /// By itself.
    Ended(String),
}

async fn keep(
    service: Service,
    first: Option<Child>,
    stop: CancellationToken,
    state: Arc<Mutex<State>>,
) {
    let mut history = History::default();
    let mut next = first;
    let say = |phase, pid| {
        note(&state, |state| {
            state.set(&service.name, pid, phase, service.address);
        });
    };
    loop {
        let child = match next.take() {
            None if service.is_fenced() => None,
            None => service.start().ok(),
            started => started,
        };
        let Some(child) = child else {
            let fenced = service.is_fenced();
            say(if fenced { Phase::Fenced } else { Phase::Down }, None);
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(LOOK_EVERY) => continue,
            }
        };
        let (began, pid) = (Instant::now(), child.id());
        say(Phase::Running, pid);
        let how = match turn(&service, child, &stop).await {
            Turn::Stopped => break,
            Turn::Fenced => continue,
            Turn::Ended(how) => how,
        };
        say(Phase::Down, None);
        clear_group(pid);
        let (after, then) = history.ended(began.elapsed());
        history = after;
        let wait = match then {
            Next::StartAfter(wait) => wait,
            // The others go on without it, as they would on machines of their own.
            Next::GiveUp => REST,
        };
        tracing::warn!(service = service.name, how, "ended; it is started again");
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(wait) => {}
        }
    }
    say(Phase::Down, None);
}

async fn turn(service: &Service, mut child: Child, stop: &CancellationToken) -> Turn {
    tokio::select! {
        () = stop.cancelled() => {
            service.end(child, PATIENCE).await;
            Turn::Stopped
        }
        () = fenced(service) => {
            tracing::warn!(service = service.name, "is fenced off and ended");
            service.end(child, FENCED_WITHIN).await;
            Turn::Fenced
        }
        ended = child.wait() => {
            Turn::Ended(ended.map_or_else(|error| error.to_string(), |status| status.to_string()))
        }
    }
}

/// What a process has left behind holds its port: the workers of an NGINX whose master was killed.
fn clear_group(pid: Option<u32>) {
    if let Some(pid) = pid {
        let _ = killpg(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL);
    }
}

async fn fenced(service: &Service) {
    while !service.is_fenced() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
