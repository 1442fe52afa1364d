//! Keeps the queues' lists in Redis as PostgreSQL has the queues: one instance at a time does, any can take over.

use std::{collections::HashMap, time::Duration};

use hysio_infra::{
    postgres::{Database, notify::Call},
    redis::queues::{MOST, Queues},
};
use hysio_model::{QueueName, id::JobId};
use tokio::{sync::broadcast, time::Instant};
use tokio_util::sync::CancellationToken;

const LEASE: &str = "queue relay";
const LEASE_FOR: Duration = Duration::from_secs(5);
const RENEW_EVERY: Duration = Duration::from_secs(1);
/// Without a call, and in case Redis has lost what it held.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Of many calls in a row the last is enough.
const GATHER: Duration = Duration::from_millis(20);

/// Until `stop`.
pub async fn keep(
    db: Database,
    queues: Queues,
    mut calls: broadcast::Receiver<Call>,
    stop: CancellationToken,
) {
    let me = format!("{}/{}", crate::worker::hostname(), std::process::id());
    let mut relay = Relay {
        db,
        queues,
        told: HashMap::new(),
    };
    let mut renewed: Option<Instant> = None;
    while !stop.is_cancelled() {
        if renewed.is_none_or(|at| at.elapsed() >= RENEW_EVERY) {
            let held = relay.db.hold_lease(LEASE, &me, LEASE_FOR).await;
            renewed = held.unwrap_or(false).then(Instant::now);
        }
        if renewed.is_some() {
            relay.look().await;
        } else {
            relay.told.clear();
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = queues_call(&mut calls), if renewed.is_some() => tokio::time::sleep(GATHER).await,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
    let _ = relay.db.give_up_lease(LEASE, &me).await;
}

struct Relay {
    db: Database,
    queues: Queues,
    /// What each list was made to hold last.
    told: HashMap<QueueName, Vec<JobId>>,
}

impl Relay {
    async fn look(&mut self) {
        for queue in QueueName::ALL {
            let Ok(ready) = self.db.ready_jobs(queue, MOST).await else {
                return;
            };
            if let Err(error) = self.tell(queue, ready).await {
                tracing::debug!(%error, %queue, "the queue's list in Redis is not up to date; workers look by themselves");
                self.told.clear();
                return;
            }
        }
    }

    /// Nothing is sent when the list is as it was left and PostgreSQL says the same.
    async fn tell(
        &mut self,
        queue: QueueName,
        ready: Vec<JobId>,
    ) -> hysio_infra::redis::Result<()> {
        let is_same = self.told.get(&queue) == Some(&ready);
        if is_same && self.queues.length(queue).await? == ready.len() {
            return Ok(());
        }
        self.queues.mirror(queue, &ready).await?;
        self.told.insert(queue, ready);
        Ok(())
    }
}

async fn queues_call(calls: &mut broadcast::Receiver<Call>) {
    loop {
        match calls.recv().await {
            Ok(Call::Jobs(_)) | Err(broadcast::error::RecvError::Lagged(_)) => return,
            Ok(Call::Progress(_) | Call::Scaling) => {}
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}
