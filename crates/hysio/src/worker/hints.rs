//! Wake-ups from Redis: each id in a queue's list wakes one worker that has a free hand.

use std::sync::Arc;

use hysio_infra::redis::queues::Queues;
use hysio_model::QueueName;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Ends with the token it was made with.
pub struct Hints {
    hungry: Vec<Arc<Notify>>,
    found: Arc<Notify>,
}

impl Hints {
    /// Follows the lists of some queues; without Redis there is nothing to follow.
    pub fn follow(lists: Option<&Queues>, queues: &[QueueName], stop: &CancellationToken) -> Self {
        let found = Arc::new(Notify::new());
        let mut hungry = Vec::new();
        if let Some(lists) = lists {
            for queue in queues {
                let (wanted, found) = (Arc::new(Notify::new()), found.clone());
                hungry.push(wanted.clone());
                let (lists, queue, stop) = (lists.clone(), *queue, stop.clone());
                tokio::spawn(async move {
                    let listening = lists.listen(queue, &wanted, &found);
                    tokio::select! {
                        () = listening => {}
                        () = stop.cancelled() => {}
                    }
                });
            }
        }
        Self { hungry, found }
    }

    /// Waits for one. Only while somebody waits are ids taken from the lists.
    pub async fn given(&self) {
        for wanted in &self.hungry {
            wanted.notify_one();
        }
        self.found.notified().await;
    }
}
