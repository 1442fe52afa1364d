//! Scaling as it happens: the state anew whenever something of it has changed.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
};
use futures::{Stream, stream};
use hysio_infra::postgres::notify::Call;
use jiff::Timestamp;
use tokio::{sync::broadcast, time::Instant};

use super::{Scaling, now};
use crate::http::{app::App, problem::Result, signed_in::Operator};

/// Instances and their load change without a call.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Steps of a change come in bursts.
const LOOKS_APART: Duration = Duration::from_millis(250);
const HEARTBEAT: Duration = Duration::from_secs(15);
/// After this a client opens the stream anew, and is asked again who it is.
const LONGEST: Duration = Duration::from_secs(900);

/// The state of scaling, as it changes.
#[utoipa::path(get, path = "/api/scaling/events", responses((status = 200, description = "`scaling` events with the state each, without the series", content_type = "text/event-stream")))]
pub async fn events(
    State(app): State<App>,
    Operator(_who): Operator,
) -> Result<Sse<impl Stream<Item = std::result::Result<Event, Infallible>>>> {
    let calls = app.calls.subscribe();
    let first = now(&app).await?;
    let watch = Watch {
        app,
        calls,
        begun: Instant::now(),
        seen: None,
    };
    let states = stream::unfold((Some(first), watch), |(first, mut watch)| async move {
        let state = match first {
            Some(first) => first,
            None => watch.change().await?,
        };
        let event = Event::default()
            .event("scaling")
            .retry(Duration::from_secs(2))
            .json_data(&state)
            .unwrap_or_else(|_| Event::default());
        watch.seen = Some(state);
        Some((Ok(event), (None, watch)))
    });
    Ok(Sse::new(states).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}

struct Watch {
    app: App,
    calls: broadcast::Receiver<Call>,
    begun: Instant,
    seen: Option<Scaling>,
}

impl Watch {
    /// The next state that differs from what was seen; None when the stream is to end.
    async fn change(&mut self) -> Option<Scaling> {
        while self.begun.elapsed() < LONGEST {
            let draining = self.app.draining.clone();
            tokio::select! {
                () = draining.cancelled() => return None,
                () = self.called() => tokio::time::sleep(LOOKS_APART).await,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            // While the database is away, the stream stays and looks again.
            if let Ok(state) = now(&self.app).await
                && !self.was_seen(&state)
            {
                return Some(state);
            }
        }
        None
    }

    fn was_seen(&self, state: &Scaling) -> bool {
        let at = |state: &Scaling| Scaling {
            at: Timestamp::UNIX_EPOCH,
            ..state.clone()
        };
        self.seen.as_ref().is_some_and(|seen| at(seen) == at(state))
    }

    async fn called(&mut self) {
        loop {
            match self.calls.recv().await {
                Ok(Call::Scaling) | Err(broadcast::error::RecvError::Lagged(_)) => return,
                Ok(Call::Jobs(_) | Call::Progress(_)) => {}
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}
