//! A job's event stream: what becomes of it and of the jobs that follow it, until a draft is there or it has failed.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
};
use futures::{Stream, stream};
use hysio_clinical::pipeline::State as Stage;
use hysio_infra::postgres::{jobs as store, notify::Call};
use hysio_model::{
    QueueName,
    id::{EncounterId, FacilityId, JobId},
};
use tokio::sync::broadcast;

use super::{
    app::App,
    extract::Path,
    jobs::{JobView, load, with_stage},
    problem::{Problem, Result},
    signed_in::Clinician,
};

/// A wake-up call can be lost, so the stream also looks by itself.
const LOOK_EVERY: Duration = Duration::from_secs(2);
const HEARTBEAT: Duration = Duration::from_secs(15);
/// After this a client opens the stream anew.
const LONGEST: Duration = Duration::from_secs(3_600);

/// What becomes of a job, as it happens.
#[utoipa::path(get, path = "/api/jobs/{id}/events", params(("id" = JobId, Path)), responses((status = 200, description = "`job` events with a job each, then `done`", content_type = "text/event-stream"), (status = 404, body = Problem)))]
pub async fn stream(
    State(app): State<App>,
    clinician: Clinician,
    Path(id): Path<JobId>,
) -> Result<Sse<impl Stream<Item = std::result::Result<Event, Infallible>>>> {
    // Listening starts before the first look, so that nothing falls between the two.
    let calls = app.calls.subscribe();
    let tx = clinician.tx(&app.db).await?;
    let first = load(&tx, id)
        .await?
        .ok_or_else(|| Problem::not_found("job"))?;
    let watch = Watch {
        app,
        facility: clinician.facility,
        encounter: first.encounter_id,
        id,
        queue: first.queue,
        calls,
        begun: tokio::time::Instant::now(),
    };
    let states = stream::unfold(Next::Send(Box::new(first), watch), step);
    Ok(Sse::new(states).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}

struct Watch {
    app: App,
    facility: FacilityId,
    encounter: EncounterId,
    id: JobId,
    queue: QueueName,
    calls: broadcast::Receiver<Call>,
    begun: tokio::time::Instant,
}

enum Next {
    Send(Box<JobView>, Watch),
    Wait(Box<JobView>, Watch),
    Done,
    End,
}

async fn step(next: Next) -> Option<(std::result::Result<Event, Infallible>, Next)> {
    match next {
        Next::End => None,
        Next::Done => Some((Ok(Event::default().event("done").data("{}")), Next::End)),
        Next::Send(job, watch) => Some(send(job, watch)),
        Next::Wait(seen, mut watch) => {
            let job = watch.change(&seen).await?;
            Some(send(Box::new(job), watch))
        }
    }
}

fn send(job: Box<JobView>, watch: Watch) -> (std::result::Result<Event, Infallible>, Next) {
    let event = Event::default()
        .event("job")
        .retry(Duration::from_secs(2))
        .json_data(&*job)
        .unwrap_or_else(|_| Event::default());
    let next = if is_over(&job) {
        Next::Done
    } else {
        Next::Wait(job, watch)
    };
    (Ok(event), next)
}

/// A report's job ends by itself; the others end with the encounter's draft.
fn is_over(job: &JobView) -> bool {
    match job.queue {
        QueueName::Email | QueueName::Reports => ["done", "dead"].contains(&job.state.as_str()),
        QueueName::Transcription | QueueName::Diagnosecode => {
            matches!(job.stage, Stage::Drafted | Stage::Signed | Stage::Failed)
        }
    }
}

impl Watch {
    /// The next state that differs from what was seen; None when the stream is to end.
    async fn change(&mut self, seen: &JobView) -> Option<JobView> {
        loop {
            if self.begun.elapsed() > LONGEST {
                return None;
            }
            let draining = self.app.draining.clone();
            tokio::select! {
                () = draining.cancelled() => return None,
                () = self.called() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            // While the database is away, the stream stays and looks again.
            if let Ok(Some(job)) = self.look().await
                && job != *seen
            {
                return Some(job);
            }
        }
    }

    async fn called(&mut self) {
        let mine = Call::Progress(self.encounter.to_string());
        loop {
            match self.calls.recv().await {
                Ok(call) if call == mine => return,
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(_)) => return,
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }

    async fn look(&self) -> Result<Option<JobView>> {
        let tx = self.app.db.tx(self.facility).await?;
        match self.queue {
            QueueName::Email | QueueName::Reports => load(&tx, self.id).await,
            QueueName::Transcription | QueueName::Diagnosecode => {
                match store::of_encounter(&tx, self.encounter).await? {
                    Some(job) => with_stage(&tx, job).await.map(Some),
                    None => Ok(None),
                }
            }
        }
    }
}
