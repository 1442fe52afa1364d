//! One look at the world: observe, decide, begin. It takes no input and reads everything again, and it does not retry: the
//! next tick is the retry. What it saw, decided and began is a value, also when that is nothing.

use async_trait::async_trait;
use hysio_scaling::{
    Snapshot,
    decide::{Decision, History, decide},
    limits::Limits,
    policies::Policies,
};
use uuid::Uuid;

use crate::{
    ports::{Away, Begun, TransactionLog, Wish},
    transaction::Change,
};

/// Reads the world. A signal that cannot be read is in the snapshot with the reason.
#[async_trait]
pub trait Observer: Send + Sync {
    async fn observe(&self) -> Result<Snapshot, Away>;
}

/// Keeps what is carried over, and each decision with everything that it was made of.
#[async_trait]
pub trait DecisionLog: Send + Sync {
    async fn history(&self) -> Result<History, Away>;
    /// Returns the decision's id.
    async fn store(
        &self,
        snapshot: &Snapshot,
        before: &History,
        decision: &Decision,
        after: &History,
    ) -> Result<Uuid, Away>;
}

#[derive(Debug)]
pub struct Ticked {
    pub snapshot: Snapshot,
    pub decision: Decision,
    pub id: Uuid,
    pub begun: Vec<Change>,
    /// Plans that could not be begun, and why.
    pub not_begun: Vec<String>,
}

/// Who acts.
pub struct Actor {
    pub user: String,
    pub pid: u32,
}

/// # Errors
/// When the world or the store cannot be reached. Nothing was begun then that is not in the log.
pub async fn tick(
    policies: &Policies,
    observer: &dyn Observer,
    decisions: &dyn DecisionLog,
    log: &dyn TransactionLog,
    actor: &Actor,
) -> Result<Ticked, Away> {
    let history = decisions.history().await?;
    let snapshot = observer.observe().await?;
    let (decision, after) = decide(policies, &history, &snapshot);
    let id = decisions
        .store(&snapshot, &history, &decision, &after)
        .await?;
    let (mut begun, mut not_begun) = (Vec::new(), Vec::new());
    for wish in wishes(&decision, id, &policies.limits, actor) {
        match log.begin(&wish).await? {
            Begun::Yes(change) => begun.push(change),
            Begun::InFlight(other) => {
                not_begun.push(format!("{}: {other} is in flight", wish.resource));
            }
            Begun::AlreadySo => {}
        }
    }
    Ok(Ticked {
        snapshot,
        decision,
        id,
        begun,
        not_begun,
    })
}

fn wishes(decision: &Decision, id: Uuid, limits: &Limits, actor: &Actor) -> Vec<Wish> {
    decision
        .plans()
        .map(|(outcome, new, because)| Wish {
            resource: outcome.resource,
            new,
            justification: because.to_owned(),
            user: actor.user.clone(),
            pid: actor.pid,
            plan: Some(id),
            ready_within_seconds: limits
                .resources
                .get(&outcome.resource)
                .map_or(60, |limit| limit.ready_within_seconds),
            supersede: false,
        })
        .collect()
}
