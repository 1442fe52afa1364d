//! The queues' lists in Redis: `transcription_queue` and its like hold the ids of jobs that can be taken, for KEDA to count and
//! for workers to wake up by.
//!
//! They mirror PostgreSQL, which is where jobs are taken. A list that is lost, emptied or wrong is right again with the next
//! look, and a worker that hears nothing looks by itself.

use std::time::Duration;

use hysio_model::{QueueName, id::JobId};
use redis::{AsyncCommands as _, Script};
use tokio::sync::Notify;

use super::{Cluster, Result};

/// Ids that a list holds at most; of a longer queue it tells so many.
pub const MOST: i32 = 20_000;
/// How long a worker waits on the server for one id.
const WAIT: f64 = 2.0;
/// After trouble, before the next attempt.
const REST: Duration = Duration::from_secs(1);

/// Makes the list hold exactly these ids, in one step.
const MIRROR: &str = "
    redis.call('DEL', KEYS[1])
    for at = 1, #ARGV, 1000 do
        redis.call('RPUSH', KEYS[1], unpack(ARGV, at, math.min(at + 999, #ARGV)))
    end
    return redis.call('LLEN', KEYS[1])";

#[derive(Clone)]
pub struct Queues {
    cluster: Cluster,
}

impl Queues {
    #[must_use]
    pub fn new(cluster: Cluster) -> Self {
        Self { cluster }
    }

    /// Makes a queue's list hold exactly these ids.
    pub async fn mirror(&self, queue: QueueName, ready: &[JobId]) -> Result<()> {
        let mut connection = self.cluster.shared().await?;
        let script = Script::new(MIRROR);
        let mut call = script.key(queue.list_name());
        for id in ready {
            call.arg(id.to_string());
        }
        call.invoke_async::<i64>(&mut connection).await?;
        Ok(())
    }

    pub async fn length(&self, queue: QueueName) -> Result<usize> {
        let mut connection = self.cluster.shared().await?;
        Ok(connection.llen(queue.list_name()).await?)
    }

    /// For ever: waits for `wanted`, then for an id in a queue's list, then tells `found`. What is popped is a hint and may be
    /// lost.
    pub async fn listen(&self, queue: QueueName, wanted: &Notify, found: &Notify) {
        loop {
            if let Err(error) = self.listen_once(queue, wanted, found).await {
                tracing::debug!(%error, "no hints from Redis; looking for work goes on by time");
                tokio::time::sleep(REST).await;
            }
        }
    }

    /// On a connection of its own, as waiting on the server holds up whoever shares one.
    async fn listen_once(&self, queue: QueueName, wanted: &Notify, found: &Notify) -> Result<()> {
        let mut connection = self.cluster.own().await?;
        loop {
            wanted.notified().await;
            let mut popped: Option<(String, String)> = None;
            while popped.is_none() {
                popped = connection.blpop(queue.list_name(), WAIT).await?;
            }
            found.notify_one();
        }
    }
}
