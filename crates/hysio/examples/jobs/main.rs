//! What the queue itself costs: the worker as it is in production, with engines that do nothing.
//!
//! First the rate: recordings are accepted as fast as they can be while the worker works them off, each through its three
//! jobs (transcription, diagnosis codes, mail). Then the wait: recordings come one by one at random times, and the time
//! from the commit that queues a job to its lease is looked at. `benches/jobs.sh` runs this.

mod idle;
mod practice;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Parser;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use hdrhistogram::Histogram;
use hysio::{config::Config, lifecycle::Lifecycle, metrics::Metrics, worker::Worker};
use hysio_infra::postgres::notify;
use indicatif::ProgressBar;
use jiff::Timestamp;
use practice::{Practice, Recorded};
use serde_json::json;
use tokio::{task::JoinHandle, time::sleep};
use uuid::Uuid;

/// Recordings accepted at once.
const UPLOADS: usize = 4;
/// Transcription, diagnosis codes, mail.
const JOBS_OF_A_RECORDING: usize = 3;
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Two minutes; what takes longer is counted as that.
const LONGEST_MICROS: u64 = 120_000_000;
/// Nothing moves for this long: something is broken.
const STUCK_AFTER: Duration = Duration::from_secs(60);

#[derive(Debug, Parser)]
struct Arguments {
    /// The folder that the installer fills.
    #[arg(long, default_value = "vendor")]
    install: PathBuf,
    /// Recordings for the rate.
    #[arg(long, default_value_t = 1_000)]
    recordings: usize,
    /// Jobs the worker does at once.
    #[arg(long, default_value_t = 4)]
    concurrency: usize,
    /// Recordings a second for the wait.
    #[arg(long, default_value_t = 20.0)]
    per_second: f64,
    /// Seconds they keep coming.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// One JSON object on standard output.
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut config = Config::default();
    config.worker.concurrency = arguments.concurrency;
    let practice = Practice::open(&arguments.install, config).await?;
    let worker = Running::start(&practice);
    let rate = rate(&practice, arguments.recordings).await?;
    note_moments(&practice).await?;
    let waits = waits(&practice, arguments.per_second, arguments.seconds).await?;
    worker.stop().await?;
    print(&arguments, rate, &waits);
    practice.close().await
}

struct Running {
    lifecycle: Lifecycle,
    task: JoinHandle<()>,
}

impl Running {
    fn start(practice: &Practice) -> Self {
        let worker = Worker {
            db: practice.db.clone(),
            engines: Arc::new(idle::engines(practice.blobs.clone())),
            metrics: Metrics::new(),
            config: practice.config.clone(),
            hints: None,
        };
        let lifecycle = Lifecycle::default();
        let calls = notify::listen(practice.application.clone(), lifecycle.soft.clone());
        let followed = lifecycle.clone();
        let task = tokio::spawn(async move { worker.run(&followed, &calls).await });
        Self { lifecycle, task }
    }

    async fn stop(self) -> anyhow::Result<()> {
        self.lifecycle.soft.cancel();
        Ok(self.task.await?)
    }
}

/// Jobs a second, from the first that is queued to the last that is committed.
async fn rate(practice: &Practice, recordings: usize) -> anyhow::Result<f64> {
    let recorded = record(practice, recordings).await?;
    let begun = Instant::now();
    stream::iter(recorded)
        .map(|recorded| async move { anyhow::Ok(practice.accept(recorded).await?) })
        .buffer_unordered(UPLOADS)
        .try_for_each(|_| async { Ok(()) })
        .await?;
    all_done(practice).await?;
    Ok((recordings * JOBS_OF_A_RECORDING) as f64 / begun.elapsed().as_secs_f64())
}

async fn record(practice: &Practice, recordings: usize) -> anyhow::Result<Vec<Recorded>> {
    let bar = ProgressBar::new(recordings as u64).with_message("recordings are stored");
    let recorded = stream::iter(0..recordings)
        .map(|_| practice.recorded())
        .buffer_unordered(UPLOADS)
        .inspect(|_| bar.inc(1));
    let recorded = recorded.try_collect().await?;
    bar.finish_and_clear();
    Ok(recorded)
}

async fn all_done(practice: &Practice) -> anyhow::Result<()> {
    let bar = ProgressBar::new_spinner();
    let (mut last, mut moved) = (i64::MAX, Instant::now());
    loop {
        let sql = "SELECT count(*) FILTER (WHERE state IN ('ready', 'leased')), count(*) FILTER (WHERE state = 'dead') FROM jobs";
        let row = practice.owner.query_one(sql, &[]).await?;
        let (waiting, dead): (i64, i64) = (row.get(0), row.get(1));
        anyhow::ensure!(dead == 0, "{dead} jobs have died");
        if waiting == 0 {
            bar.finish_and_clear();
            return Ok(());
        }
        if waiting != last {
            (last, moved) = (waiting, Instant::now());
        }
        anyhow::ensure!(moved.elapsed() < STUCK_AFTER, "{waiting} jobs do not move");
        bar.set_message(format!("{waiting} jobs wait or are worked on"));
        sleep(LOOK_EVERY).await;
    }
}

/// From now on the database notes when a job is leased and done, as a job itself keeps only the last of these moments.
async fn note_moments(practice: &Practice) -> anyhow::Result<()> {
    practice
        .owner
        .batch_execute(
            "CREATE TABLE moments (job uuid, state text, at timestamptz);
             CREATE FUNCTION note_moment() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
             $$ BEGIN INSERT INTO moments VALUES (NEW.id, NEW.state::text, clock_timestamp()); RETURN NULL; END $$;
             CREATE TRIGGER note_moment AFTER UPDATE ON jobs FOR EACH ROW
             WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION note_moment()",
        )
        .await?;
    Ok(())
}

/// In microseconds.
struct Waits {
    /// From the commit that queues a job to its lease.
    to_lease: Histogram<u64>,
    /// From the same commit to that of the job's result.
    to_commit: Histogram<u64>,
}

async fn waits(practice: &Practice, per_second: f64, seconds: u64) -> anyhow::Result<Waits> {
    let count = (per_second * seconds as f64).ceil();
    let recorded = record(practice, count as usize).await?;
    let bar = ProgressBar::new(count as u64).with_message("one by one");
    let mut queued: HashMap<Uuid, Timestamp> = HashMap::new();
    for recorded in recorded {
        sleep(Duration::from_secs_f64(
            -(1.0 - fastrand::f64()).ln() / per_second,
        ))
        .await;
        if let Some(job) = practice.accept(recorded).await? {
            queued.insert(job.0, Timestamp::now());
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    all_done(practice).await?;
    let rows = practice
        .owner
        .query("SELECT job, state, at FROM moments", &[])
        .await?;
    let mut waits = Waits {
        to_lease: Histogram::new_with_bounds(1, LONGEST_MICROS, 3)?,
        to_commit: Histogram::new_with_bounds(1, LONGEST_MICROS, 3)?,
    };
    for row in rows {
        let (job, state, at): (Uuid, String, Timestamp) = (row.get(0), row.get(1), row.get(2));
        let Some(since) = queued.get(&job) else {
            continue;
        };
        // The worker may be called before the commit is acknowledged to whoever queued the job.
        let micros = u64::try_from(at.duration_since(*since).as_micros()).unwrap_or(0);
        match state.as_str() {
            "leased" => waits.to_lease.saturating_record(micros),
            "done" => waits.to_commit.saturating_record(micros),
            _ => {}
        }
    }
    Ok(waits)
}

fn print(arguments: &Arguments, rate: f64, waits: &Waits) {
    let millis = |h: &Histogram<u64>, quantile| h.value_at_quantile(quantile) as f64 / 1_000.0;
    if arguments.json {
        let of = |h: &Histogram<u64>| json!({ "jobs": h.len(), "p50_ms": millis(h, 0.5), "p95_ms": millis(h, 0.95), "p99_ms": millis(h, 0.99), "max_ms": millis(h, 1.0) });
        let all = json!({
            "concurrency": arguments.concurrency,
            "jobs_per_second": rate,
            "recordings_per_second": arguments.per_second,
            "queued_to_lease": of(&waits.to_lease),
            "queued_to_commit": of(&waits.to_commit),
        });
        println!("{all:#}");
        return;
    }
    println!(
        "{} jobs at once: {rate:.0} jobs per second from queued to committed ({:.0} recordings, each {JOBS_OF_A_RECORDING} jobs).\n",
        arguments.concurrency,
        rate / JOBS_OF_A_RECORDING as f64,
    );
    println!(
        "| at {} recordings per second | jobs | p50 ms | p95 ms | p99 ms | max ms |",
        arguments.per_second
    );
    println!("|---|---|---|---|---|---|");
    for (name, h) in [
        ("queued to leased", &waits.to_lease),
        ("queued to committed", &waits.to_commit),
    ] {
        println!(
            "| {name} | {} | {:.1} | {:.1} | {:.1} | {:.1} |",
            h.len(),
            millis(h, 0.5),
            millis(h, 0.95),
            millis(h, 0.99),
            millis(h, 1.0)
        );
    }
}
