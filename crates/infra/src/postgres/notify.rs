//! Wake-up calls: `LISTEN` on a connection of its own. They are hints; whoever listens also looks by himself from time to
//! time, as a call can be lost (a restart, a pooler that does not carry them).

use std::time::Duration;

use futures::{StreamExt as _, stream};
use tokio::sync::broadcast;
use tokio_postgres::{AsyncMessage, Config};
use tokio_util::sync::CancellationToken;

use super::{Error, Result, pool};

/// Calls that one slow listener may be behind before it misses some.
const BACKLOG: usize = 1_024;
const RECONNECT_AFTER: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// A queue has something to do; None stands for any queue.
    Jobs(Option<hysio_model::QueueName>),
    /// An encounter has moved on, or its job has.
    Progress(String),
    /// A target was set, a transaction went on, or an emergency was declared.
    Scaling,
}

/// Listens until `stop`, through reconnections, and passes calls on.
#[must_use]
pub fn listen(config: Config, stop: CancellationToken) -> broadcast::Sender<Call> {
    let (calls, _) = broadcast::channel(BACKLOG);
    let sender = calls.clone();
    tokio::spawn(async move {
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => break,
                ended = listen_once(&config, &sender) => {
                    if let Err(error) = ended {
                        tracing::warn!(%error, "wake-up calls are interrupted; looking for work goes on by time");
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(RECONNECT_AFTER) => {}
            }
        }
    });
    calls
}

async fn listen_once(config: &Config, calls: &broadcast::Sender<Call>) -> Result<()> {
    let (client, mut connection) = config
        .connect(pool::tls(config)?)
        .await
        .map_err(|error| Error::Unavailable(Box::new(error)))?;
    let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
    let listening =
        client.batch_execute("LISTEN hysio_jobs; LISTEN hysio_progress; LISTEN hysio_scaling");
    let receiving = async {
        while let Some(message) = messages.next().await {
            if let Ok(AsyncMessage::Notification(note)) = &message {
                // Nobody listening right now is no error.
                let _ = calls.send(match note.channel() {
                    "hysio_jobs" => Call::Jobs(note.payload().parse().ok()),
                    "hysio_scaling" => Call::Scaling,
                    _ => Call::Progress(note.payload().to_owned()),
                });
            }
            message?;
        }
        Ok::<_, Error>(())
    };
    let (listened, received) =
        futures::join!(async { listening.await.map_err(Error::from) }, receiving);
    listened.and(received)
}
