//! The pools of apps and workers: as many processes as the database says that there are to be. Who is too many finishes what he
//! is doing and leaves; who dies is replaced.

use std::{
    path::Path,
    process::ExitStatus,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use futures::future::select_all;
use hysio_control::{
    fleet::{Member, Move, reconcile},
    supervise::{History, Next},
};
use hysio_infra::{
    postgres::{Database, notify::Call, scaling::instances::Instance},
    process::{Process, Program},
};
use hysio_model::ServiceName;
use hysio_scaling::Resource;
use tokio::{sync::broadcast, task::JoinSet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::services::{PATIENCE, program};
use crate::{
    config::Config,
    presence::{INSTANCE, RESOURCE},
};

/// A call can be lost, so the pools are also looked at by time.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A process that lives but was not heard of for so long, beyond the time after which it does not count, is replaced.
const HUNG_AFTER: Duration = Duration::from_secs(15);

/// One that leaves sooner did not get well.
const LIVED: Duration = Duration::from_secs(5);

/// The pools of workers, and the queues that they take from.
const WORKERS: [(Resource, &str); 3] = [
    (Resource::TranscriptionWorkers, "transcription"),
    (Resource::DiagnosisWorkers, "diagnosecode"),
    (Resource::QueueWorkers, "email,reports"),
];

pub struct Pools {
    db: Database,
    calls: broadcast::Receiver<Call>,
    pools: Vec<Pool>,
    /// Processes that were asked to leave.
    leaving: JoinSet<()>,
}

struct Pool {
    resource: Resource,
    program: Program,
    workers: Vec<Running>,
    history: History,
    /// Nothing is started before: the last one ended too soon.
    not_before: Option<Instant>,
}

struct Running {
    id: Uuid,
    process: Process,
    started: Instant,
    hearing: Hearing,
}

/// Whether a process is heard of. Only looks at a database that answers count.
#[derive(Clone, Copy)]
enum Hearing {
    /// Not yet: it starts.
    Never,
    Heard,
    SilentSince(Instant),
}

impl Hearing {
    fn after(self, heard: bool, now: Instant) -> Self {
        match self {
            _ if heard => Self::Heard,
            Self::Never => Self::Never,
            Self::Heard => Self::SilentSince(now),
            Self::SilentSince(since) => Self::SilentSince(since),
        }
    }

    fn is_silent(self) -> bool {
        matches!(self, Self::SilentSince(_))
    }

    fn is_hung(self, now: Instant) -> bool {
        matches!(self, Self::SilentSince(since) if now.duration_since(since) > HUNG_AFTER)
    }
}

impl Pools {
    /// Apps and workers.
    pub async fn open(
        config: &Config,
        file: Option<&Path>,
        db: Database,
        calls: &broadcast::Sender<Call>,
    ) -> anyhow::Result<Self> {
        let apps = pool_program(ServiceName::App, config, file, Resource::AppInstances);
        let workers = WORKERS
            .map(|(resource, queues)| (resource, worker_program(config, file, resource, queues)));
        let programs = [(Resource::AppInstances, apps)].into_iter().chain(workers);
        Self::of(programs, db, calls).await
    }

    /// Workers alone: the apps of a cluster have an address each.
    pub async fn of_workers(
        config: &Config,
        file: Option<&Path>,
        db: Database,
        calls: &broadcast::Sender<Call>,
    ) -> anyhow::Result<Self> {
        let workers = WORKERS
            .map(|(resource, queues)| (resource, worker_program(config, file, resource, queues)));
        Self::of(workers.into_iter(), db, calls).await
    }

    /// Makes the targets known, with one process each at first.
    async fn of(
        programs: impl Iterator<Item = (Resource, Program)>,
        db: Database,
        calls: &broadcast::Sender<Call>,
    ) -> anyhow::Result<Self> {
        let mut pools = Vec::new();
        for (resource, program) in programs {
            db.found_target(resource, 1).await?;
            pools.push(Pool {
                resource,
                program,
                workers: Vec::new(),
                history: History::default(),
                not_before: None,
            });
        }
        Ok(Self {
            db,
            calls: calls.subscribe(),
            pools,
            leaving: JoinSet::new(),
        })
    }

    /// Keeps the pools as they are to be. Returns when the processes of one never get well.
    pub async fn keep(&mut self) -> anyhow::Result<()> {
        loop {
            if let Err(error) = self.look().await {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "the pools could not be looked at"
                );
                // Nobody could have been heard of either.
                for running in self.pools.iter_mut().flat_map(|pool| &mut pool.workers) {
                    running.hearing = Hearing::Never;
                }
            }
            tokio::select! {
                ended = ended(&mut self.pools) => self.after(ended)?,
                () = scaling_call(&mut self.calls) => {}
                Some(_) = self.leaving.join_next() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    async fn look(&mut self) -> anyhow::Result<()> {
        let targets = self.db.targets().await?;
        let instances = self.db.instances().await?;
        for pool in &mut self.pools {
            let Some(target) = targets.iter().find(|it| it.resource == pool.resource) else {
                continue;
            };
            let wanted = usize::try_from(target.desired).unwrap_or(0);
            pool.listen(&instances, &mut self.leaving);
            for next in reconcile(wanted, &pool.members(&instances)) {
                match next {
                    Move::Start(more) => pool.start(more)?,
                    Move::Drain(id) => pool.drain(id, &mut self.leaving),
                }
            }
        }
        Ok(())
    }

    fn after(&mut self, (pool, worker, how): (usize, usize, Ending)) -> anyhow::Result<()> {
        let pool = &mut self.pools[pool];
        let worker = pool.workers.remove(worker);
        if how.is_orderly() && worker.started.elapsed() > LIVED {
            tracing::info!(resource = %pool.resource, "a process of a pool has left; another takes its place");
            return Ok(());
        }
        let (history, next) = pool.history.ended(worker.started.elapsed());
        pool.history = history;
        match next {
            Next::StartAfter(wait) => {
                tracing::error!(resource = %pool.resource, %how, "a process of a pool ended by itself; another is started");
                pool.not_before = Some(Instant::now() + wait);
                Ok(())
            }
            Next::GiveUp => anyhow::bail!(
                "{} end again and again ({how}): the reason is in the log above",
                pool.resource
            ),
        }
    }

    pub async fn stop(mut self, hard: &CancellationToken) {
        for pool in &mut self.pools {
            for worker in std::mem::take(&mut pool.workers) {
                self.leaving.spawn(let_go(pool.resource, worker));
            }
        }
        tokio::select! {
            () = async { while self.leaving.join_next().await.is_some() {} } => {}
            // Dropped with the tasks, and so killed.
            () = hard.cancelled() => tracing::warn!("processes of pools are cut off"),
        }
    }
}

impl Pool {
    fn members(&self, instances: &[Instance]) -> Vec<Member<Uuid>> {
        let busy = |id| {
            instances
                .iter()
                .find(|instance| instance.id == id)
                .and_then(|instance| u32::try_from(instance.busy).ok())
        };
        self.workers
            .iter()
            .zip(0..)
            .map(|(worker, started)| Member {
                id: worker.id,
                busy: busy(worker.id),
                leaving: false,
                silent: worker.hearing.is_silent(),
                started,
            })
            .collect()
    }

    /// Notes who is heard of, and lets those go that hang.
    fn listen(&mut self, instances: &[Instance], leaving: &mut JoinSet<()>) {
        let now = Instant::now();
        for running in &mut self.workers {
            let heard = instances.iter().any(|it| it.id == running.id);
            running.hearing = running.hearing.after(heard, now);
        }
        let hung = self.workers.iter().filter(|it| it.hearing.is_hung(now));
        for id in hung.map(|it| it.id).collect::<Vec<_>>() {
            tracing::error!(resource = %self.resource, %id, "a process of a pool hangs; another takes its place");
            self.drain(id, leaving);
        }
    }

    fn start(&mut self, more: usize) -> anyhow::Result<()> {
        if self.not_before.is_some_and(|at| Instant::now() < at) {
            return Ok(());
        }
        for _ in 0..more {
            let id = Uuid::now_v7();
            let mut program = self.program.clone();
            program
                .environment
                .push((INSTANCE.to_owned(), id.to_string().into()));
            let process = Process::start(&program)
                .with_context(|| format!("a process of {} cannot be started", self.resource))?;
            tracing::info!(resource = %self.resource, pid = process.id(), "a process of a pool is started");
            self.workers.push(Running {
                id,
                process,
                started: Instant::now(),
                hearing: Hearing::Never,
            });
        }
        Ok(())
    }

    fn drain(&mut self, id: Uuid, leaving: &mut JoinSet<()>) {
        if let Some(place) = self.workers.iter().position(|worker| worker.id == id) {
            let worker = self.workers.remove(place);
            tracing::info!(resource = %self.resource, pid = worker.process.id(), "a process of a pool is asked to finish and leave");
            leaving.spawn(let_go(self.resource, worker));
        }
    }
}

async fn let_go(resource: Resource, worker: Running) {
    match worker.process.stop(PATIENCE).await {
        Ok(status) => tracing::info!(%resource, %status, "a process of a pool has left"),
        Err(error) => tracing::error!(%resource, %error, "a process of a pool could not be ended"),
    }
}

/// How a process ended that nobody here had asked to.
struct Ending(std::io::Result<ExitStatus>);

impl Ending {
    /// Somebody else asked it to, as a restart does, and it has finished what it was doing.
    fn is_orderly(&self) -> bool {
        self.0.as_ref().is_ok_and(ExitStatus::success)
    }
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Ok(status) => status.fmt(f),
            Err(error) => error.fmt(f),
        }
    }
}

/// Which pool's which worker has ended, and how.
async fn ended(pools: &mut [Pool]) -> (usize, usize, Ending) {
    let waits: Vec<_> = pools
        .iter_mut()
        .enumerate()
        .flat_map(|(pool, it)| {
            it.workers
                .iter_mut()
                .enumerate()
                .map(move |(place, worker)| {
                    Box::pin(async move { (pool, place, Ending(worker.process.ended().await)) })
                })
        })
        .collect();
    if waits.is_empty() {
        return std::future::pending().await;
    }
    select_all(waits).await.0
}

async fn scaling_call(calls: &mut broadcast::Receiver<Call>) {
    loop {
        match calls.recv().await {
            Ok(Call::Scaling) | Err(broadcast::error::RecvError::Lagged(_)) => return,
            Ok(Call::Jobs(_) | Call::Progress(_)) => {}
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

fn pool_program(
    name: ServiceName,
    config: &Config,
    file: Option<&Path>,
    resource: Resource,
) -> Program {
    let mut program = program(name, config, file);
    program
        .environment
        .push((RESOURCE.to_owned(), resource.as_str().into()));
    program
}

fn worker_program(
    config: &Config,
    file: Option<&Path>,
    resource: Resource,
    queues: &str,
) -> Program {
    let mut program = pool_program(ServiceName::Worker, config, file, resource);
    program.without.push("HYSIO__WORKER__QUEUES");
    program
        .environment
        .push(("QUEUE_NAMES".to_owned(), queues.into()));
    if resource == Resource::TranscriptionWorkers {
        // The engine computes: a worker that waits for one answer at a time makes their number mean something.
        program.without.push("HYSIO__WORKER__CONCURRENCY");
        program
            .environment
            .push(("WORKER_CONCURRENCY".to_owned(), "1".into()));
    }
    program
}
