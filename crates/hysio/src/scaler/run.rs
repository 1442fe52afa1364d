//! The loop: hold the lease, look, begin what is planned, carry on what is unfinished. There is no recovery of its own: what
//! an earlier scaler left unfinished is carried on like everything else.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use hysio_control::{
    ports::{Away, Ports, TransactionLog as _},
    run::carry_on,
    tick::{Actor, tick},
    transaction::TransactionId,
};
use hysio_infra::postgres::{Database, notify::Call};
use hysio_model::SystemClock;
use tokio::sync::broadcast;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    LEASE,
    observe::World,
    policy_files::{Current, Reload},
    probes::Prober,
    store::Decisions,
};

/// A leader that is silent for longer is replaced.
const LEASE_TTL: Duration = Duration::from_secs(5);
/// Calls come in bursts; looks don't.
const LOOKS_APART: Duration = Duration::from_millis(200);
const SWEEP_EVERY: u32 = 600;

pub struct Scaler {
    pub db: Database,
    pub world: Arc<World>,
    pub prober: Arc<Prober>,
    pub decisions: Decisions,
    pub policies: Current,
    pub holder: String,
    pub tick_every: Duration,
}

impl Scaler {
    pub async fn run(mut self, calls: &broadcast::Sender<Call>, stop: &CancellationToken) {
        let mut calls = calls.subscribe();
        let carrying = Carrying::default();
        let mut leads = false;
        let mut has_learnt = false;
        let mut looks: u32 = 0;
        while !stop.is_cancelled() {
            match self.db.hold_lease(LEASE, &self.holder, LEASE_TTL).await {
                Ok(held) => {
                    if held != leads {
                        tracing::info!(holder = self.holder, leads = held, "the scaler's lease");
                    }
                    has_learnt &= leads;
                    leads = held;
                }
                Err(error) => {
                    tracing::warn!(
                        error = crate::telemetry::chain(&error),
                        "the lease could not be renewed; nothing is decided"
                    );
                    leads = false;
                }
            }
            if leads {
                has_learnt &= !self.reload();
                let looked = async {
                    if !has_learnt {
                        self.learn().await?;
                        has_learnt = true;
                    }
                    self.look(&carrying).await
                };
                if let Err(away) = looked.await {
                    tracing::warn!(%away, "nothing could be decided");
                }
                looks = looks.wrapping_add(1);
                if looks.is_multiple_of(SWEEP_EVERY) {
                    self.sweep().await;
                }
            }
            tokio::time::sleep(LOOKS_APART).await;
            tokio::select! {
                () = stop.cancelled() => {}
                () = worth_a_look(&mut calls) => {}
                () = tokio::time::sleep(self.tick_every.saturating_sub(LOOKS_APART)) => {}
            }
        }
        // What is in the middle of a step is cut off: the next scaler carries on from the log.
        carrying.tasks.close();
        drop(carrying);
        if let Err(error) = self.db.give_up_lease(LEASE, &self.holder).await {
            tracing::debug!(
                error = crate::telemetry::chain(&error),
                "the lease was not given up; it expires"
            );
        }
    }

    /// Whether other policies are in force now.
    fn reload(&mut self) -> bool {
        let looked = self.policies.look();
        let taken = matches!(looked, Reload::Taken);
        match looked {
            Reload::Unchanged => {}
            Reload::GoodAgain => {
                tracing::info!("the policy files are again those that are in force");
            }
            Reload::Taken => {
                tracing::info!(
                    digest = self.policies.digest(),
                    "changed policies are in force"
                );
                let limits = self.policies.policies.limits.clone();
                *self
                    .prober
                    .limits
                    .write()
                    .expect("nobody panics while holding it") = limits;
                *self
                    .decisions
                    .policies_digest
                    .lock()
                    .expect("nobody panics while holding it") = self.policies.digest();
            }
            Reload::Refused(why) => {
                tracing::error!(
                    why,
                    "changed policies are refused; the last good ones go on"
                );
            }
        }
        taken
    }

    async fn learn(&self) -> Result<(), Away> {
        let learnt = self.decisions.learn(&self.policies.policies).await?;
        if learnt > 0 {
            tracing::info!(learnt, "forecasts begin with what was measured before");
        }
        Ok(())
    }

    async fn look(&self, carrying: &Carrying) -> Result<(), Away> {
        for id in self.db.unfinished().await? {
            carrying.take(id, self.db.clone(), self.prober.clone());
        }
        self.db
            .keep_policies(&self.policies.digest(), &self.policies.files)
            .await?;
        let actor = Actor {
            user: "scaler".to_owned(),
            pid: std::process::id(),
        };
        let ticked = tick(
            &self.policies.policies,
            &*self.world,
            &self.decisions,
            &self.db,
            &actor,
        )
        .await?;
        for change in ticked.begun {
            tracing::info!(resource = %change.resource, old = change.old, new = change.new, transaction = %change.id, why = change.justification, "a change is begun");
            carrying.take(change.id, self.db.clone(), self.prober.clone());
        }
        for why in ticked.not_begun {
            tracing::info!(why, "a plan was not begun");
        }
        let emergency = ticked.snapshot.emergency;
        if emergency.is_some_and(|it| it.ends_at <= ticked.snapshot.at) {
            self.db.end_emergency().await?;
        }
        Ok(())
    }

    async fn sweep(&self) {
        for swept in [
            self.db.sweep_instances().await.map(drop),
            self.db.sweep_decisions().await,
        ] {
            if let Err(error) = swept {
                tracing::warn!(
                    error = crate::telemetry::chain(&error),
                    "old decisions could not be tidied up"
                );
            }
        }
    }
}

/// The transactions that this process carries on now, each once.
#[derive(Clone, Default)]
pub struct Carrying {
    ids: Arc<Mutex<BTreeSet<TransactionId>>>,
    tasks: TaskTracker,
}

impl Carrying {
    pub fn take(&self, id: TransactionId, db: Database, prober: Arc<Prober>) {
        if !self.ids().insert(id) {
            return;
        }
        let this = self.clone();
        self.tasks.spawn(async move {
            let ports = Ports {
                targets: &db,
                probes: &*prober,
                log: &db,
                clock: &SystemClock,
            };
            match carry_on(id, &ports).await {
                Ok(phase) => {
                    tracing::info!(transaction = %id, phase = phase.as_str(), "a change has ended");
                }
                Err(why) => tracing::warn!(transaction = %id, %why, "a change is interrupted here"),
            }
            this.ids().remove(&id);
        });
    }

    fn ids(&self) -> std::sync::MutexGuard<'_, BTreeSet<TransactionId>> {
        self.ids.lock().expect("nobody panics while holding it")
    }
}

/// A queue has grown, or an emergency was declared.
async fn worth_a_look(calls: &mut broadcast::Receiver<Call>) {
    loop {
        match calls.recv().await {
            Ok(Call::Jobs(_) | Call::Scaling) | Err(broadcast::error::RecvError::Lagged(_)) => {
                return;
            }
            Ok(Call::Progress(_)) => {}
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}
