//! The queue worker: takes no more jobs than it has hands, keeps their leases alive while it works, and commits only what
//! is still its own.

mod engines;
mod hints;
mod stages;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use hysio_clinical::jobs::{JobError, Leased, Verdict, verdict};
use hysio_infra::{
    postgres::{self, Database, notify::Call},
    redis::queues::Queues,
};
use hysio_model::QueueName;
use tokio::sync::{Semaphore, broadcast};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use engines::{Engines, code_client, coder};

use self::hints::Hints;
use crate::{config::Config, lifecycle::Lifecycle, metrics::Metrics};

/// A wake-up call can be lost, so the worker also looks by itself.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub struct Worker {
    pub db: Database,
    pub engines: Arc<Engines>,
    pub metrics: Metrics,
    pub config: Arc<Config>,
    /// Redis's lists, to wake up by.
    pub hints: Option<Queues>,
}

impl Worker {
    /// Works until the lifecycle ends, then finishes what it holds, or hands it back when that takes too long.
    pub async fn run(self, lifecycle: &Lifecycle, calls: &broadcast::Sender<Call>) {
        let settings = self.config.worker.clone();
        let hands = Arc::new(Semaphore::new(settings.concurrency));
        let running = TaskTracker::new();
        let give_up = CancellationToken::new();
        let mut calls = calls.subscribe();
        let owner = format!("{}/{}", hostname(), std::process::id());
        let hints = Hints::follow(self.hints.as_ref(), &settings.queues, &lifecycle.soft);
        while !lifecycle.soft.is_cancelled() {
            let free = hands.available_permits();
            let taken = if free == 0 {
                Vec::new()
            } else {
                self.take(&settings.queues, free, &owner).await
            };
            let idle = taken.is_empty();
            for job in taken {
                let hand = hands
                    .clone()
                    .try_acquire_owned()
                    .expect("no more jobs are taken than hands are free");
                let (worker, give_up) = (self.clone(), give_up.clone());
                running.spawn(async move {
                    worker.work(job, &give_up).await;
                    drop(hand);
                });
            }
            if idle {
                tokio::select! {
                    () = lifecycle.soft.cancelled() => {}
                    () = called(&mut calls, &settings.queues), if free > 0 => {}
                    () = hints.given(), if free > 0 => {}
                    // With all hands busy, the next free one looks for work at once.
                    _ = hands.acquire(), if free == 0 => {}
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                }
            }
        }
        running.close();
        tokio::select! {
            () = running.wait() => return,
            () = lifecycle.hard.cancelled() => {}
            () = tokio::time::sleep(Duration::from_secs(settings.drain_seconds)) => {}
        }
        give_up.cancel();
        running.wait().await;
    }

    async fn take(&self, queues: &[QueueName], free: usize, owner: &str) -> Vec<Leased> {
        match self.db.lease_jobs(queues, free, owner, self.lease()).await {
            Ok(jobs) => jobs,
            Err(error) => {
                tracing::warn!(
                    error = crate::telemetry::chain(&error),
                    "no jobs could be taken"
                );
                tokio::time::sleep(LOOK_EVERY).await;
                Vec::new()
            }
        }
    }

    fn lease(&self) -> Duration {
        Duration::from_secs(self.config.worker.lease_seconds)
    }

    async fn work(&self, job: Leased, give_up: &CancellationToken) {
        let begun = Instant::now();
        let _busy = self.metrics.tally().begin();
        let progress = Progress::default();
        let outcome = tokio::select! {
            done = stages::perform(self, &job, &progress) => self.settle(&job, done).await,
            () = self.keep_lease(&job, &progress) => "lost",
            () = give_up.cancelled() => {
                if let Err(error) = self.db.hand_back(&job).await {
                    tracing::warn!(job.id = %job.id, error = crate::telemetry::chain(&error), "a job could not be handed back; its lease will expire");
                }
                "lost"
            }
        };
        self.metrics.job(job.queue, outcome, begun.elapsed());
        tracing::info!(job.id = %job.id, job.queue = %job.queue, job.attempt = job.attempt, outcome, took_ms = begun.elapsed().as_secs_f64() * 1_000.0, "job ended");
    }

    /// Writes down how a job ended.
    async fn settle(&self, job: &Leased, done: Result<(), Failed>) -> &'static str {
        let error = match done {
            Ok(()) => return "done",
            Err(Failed::Store(postgres::Error::LeaseLost)) => return "lost",
            Err(Failed::Store(error)) => {
                tracing::warn!(job.id = %job.id, error = crate::telemetry::chain(&error), "a result could not be stored");
                stored_error(&error)
            }
            Err(Failed::Job(error)) => {
                tracing::warn!(job.id = %job.id, code = error.code(), message = error.message(), "an attempt failed");
                error
            }
        };
        let verdict = verdict(&error, job.attempt, job.max_attempts, spread());
        let (retry_after, outcome) = match verdict {
            Verdict::RetryAfter(wait) => (Some(wait), "retry"),
            Verdict::Dead => (None, "dead"),
        };
        match self.db.commit_failure(job, &error, retry_after).await {
            Ok(()) => outcome,
            // Without the database nothing can be written down: the lease expires, and the job is taken again.
            Err(_) => "lost",
        }
    }

    /// Renews the lease until it is lost.
    async fn keep_lease(&self, job: &Leased, progress: &Progress) {
        let mut expires = Instant::now() + self.lease();
        loop {
            // Progress is told about once a second, and the lease renewed with it.
            tokio::time::sleep((self.lease() / 3).min(Duration::from_secs(1))).await;
            match self.db.renew_lease(job, self.lease(), progress.get()).await {
                Ok(true) => expires = Instant::now() + self.lease(),
                Ok(false) => return,
                Err(_) if Instant::now() < expires => {}
                Err(_) => return,
            }
        }
    }
}

/// Why a stage did not end well.
enum Failed {
    Job(JobError),
    Store(postgres::Error),
}

impl From<JobError> for Failed {
    fn from(error: JobError) -> Self {
        Self::Job(error)
    }
}

impl From<postgres::Error> for Failed {
    fn from(error: postgres::Error) -> Self {
        Self::Store(error)
    }
}

fn stored_error(error: &postgres::Error) -> JobError {
    match error {
        postgres::Error::Cipher(_) | postgres::Error::Corrupt { .. } | postgres::Error::Keys(_) => {
            JobError::fail(
                "stored-data-unreadable",
                "what is stored cannot be decrypted: ask your operator to look at the log",
            )
        }
        postgres::Error::Illegal(_) => {
            JobError::fail("not-now", "the encounter has moved on in the meantime")
        }
        postgres::Error::Unavailable(_)
        | postgres::Error::StorageFull
        | postgres::Error::Constraint { .. }
        | postgres::Error::LeaseLost
        | postgres::Error::Migration(_)
        | postgres::Error::NotTheSame(_)
        | postgres::Error::Settings(_)
        | postgres::Error::Query(_) => {
            JobError::retry("storage-unavailable", "the result could not be stored yet")
        }
    }
}

/// How far a job has come, told by engines from other threads.
#[derive(Default)]
pub struct Progress(AtomicU32);

impl Progress {
    pub fn set(&self, share: f32) {
        self.0
            .store(share.clamp(0.0, 1.0).to_bits(), Ordering::Relaxed);
    }

    fn get(&self) -> Option<f32> {
        Some(f32::from_bits(self.0.load(Ordering::Relaxed))).filter(|share| *share > 0.0)
    }
}

async fn called(calls: &mut broadcast::Receiver<Call>, queues: &[QueueName]) {
    loop {
        match calls.recv().await {
            Ok(Call::Jobs(None)) | Err(broadcast::error::RecvError::Lagged(_)) => return,
            Ok(Call::Jobs(Some(queue))) if queues.contains(&queue) => return,
            Ok(Call::Jobs(Some(_)) | Call::Progress(_) | Call::Scaling) => {}
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

pub fn hostname() -> String {
    nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .unwrap_or_else(|| "unknown".into())
}

/// A random number from 0 to 1.
fn spread() -> f64 {
    f64::from(u32::from_be_bytes(
        uuid::Uuid::new_v4().as_bytes()[..4]
            .try_into()
            .expect("four bytes"),
    )) / f64::from(u32::MAX)
}
