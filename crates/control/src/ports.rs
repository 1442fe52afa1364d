//! What changing capacity needs from the world. Adapters stand in `infra`; the simulation has its own.

use async_trait::async_trait;
use hysio_model::Clock;
use hysio_scaling::{
    Resource,
    gates::{AfterFacts, BeforeFacts, DuringFacts},
};
use jiff::Timestamp;
use uuid::Uuid;

use crate::transaction::{Baseline, Change, Event, TransactionId};

/// Something could not be reached now. The same call may succeed later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Away(pub String);

/// What a target says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    pub desired: i32,
    /// Of the change that set `desired`.
    pub generation: i64,
    pub running: i32,
    pub ready: i32,
}

impl Observed {
    /// Whether the count is there: enough are ready, and none too many run.
    #[must_use]
    pub fn has_settled_at(&self, count: i32) -> bool {
        self.ready >= count && self.running <= count
    }

    /// Whether it was last set to `count` by `generation`. A target that forgot what it was told says otherwise, and what an
    /// older count left behind proves nothing.
    #[must_use]
    pub fn was_set_to(&self, count: i32, generation: i64) -> bool {
        self.desired == count && self.generation == generation
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    Done,
    /// The target has been set by a newer generation and was left alone.
    Superseded {
        by: i64,
    },
}

/// Things with a count: local processes, connection pools, Deployments.
#[async_trait]
pub trait Targets: Send + Sync {
    async fn observe(&self, resource: Resource) -> Result<Observed, Away>;

    /// Sets an absolute count, unless a generation higher than `generation` has set it before. Doing it twice is doing it
    /// once. It may take effect although no answer came, and later than that.
    async fn set(&self, resource: Resource, count: i32, generation: i64) -> Result<Set, Away>;
}

/// Collects the facts that gates judge. What cannot be collected is a fact with the reason.
#[async_trait]
pub trait Probes: Send + Sync {
    async fn before(&self, change: &Change) -> (BeforeFacts, Baseline);
    async fn during(&self, change: &Change) -> DuringFacts;
    /// `applied_at`: errors and latency are counted from then on.
    async fn after(
        &self,
        change: &Change,
        baseline: &Baseline,
        applied_at: Timestamp,
    ) -> AfterFacts;
}

/// A change that somebody wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    pub resource: Resource,
    pub new: i32,
    pub justification: String,
    pub user: String,
    pub pid: u32,
    pub plan: Option<Uuid>,
    pub ready_within_seconds: i64,
    /// Takes over from a change of the same target that is in flight.
    pub supersede: bool,
}

impl Wish {
    /// The change that begins now. `desired` is what the target is set to; `taken_over` the unfinished change that ends by it.
    ///
    /// What an unfinished change has set was never verified: the count to go back to is the one that it would have gone
    /// back to.
    #[must_use]
    pub fn change(
        &self,
        id: TransactionId,
        generation: i64,
        desired: i32,
        taken_over: Option<&Change>,
    ) -> Change {
        Change {
            id,
            resource: self.resource,
            old: taken_over.map_or(desired, |earlier| earlier.old),
            new: self.new,
            justification: self.justification.clone(),
            user: self.user.clone(),
            pid: self.pid,
            generation,
            plan: self.plan,
            ready_within_seconds: self.ready_within_seconds,
            took_over: taken_over.map(|earlier| earlier.id),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Begun {
    Yes(Change),
    /// Another change of the target is in flight.
    InFlight(TransactionId),
    /// The target has that count already.
    AlreadySo,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    Written,
    /// Somebody else has written this place of the log: he carries the transaction on.
    Taken,
}

/// The log of transactions. An event and its audit entries are written together, or neither is.
#[async_trait]
pub trait TransactionLog: Send + Sync {
    /// Writes the first event, unless the target has an unfinished transaction. One that is taken over gets its
    /// [`Event::Superseded`] in the same write. Generations of one target grow by at least two, beyond any that it was set
    /// by: each change has one more for [rolling back](Change::rollback_generation). [`Wish::change`] makes the change.
    async fn begin(&self, wish: &Wish) -> Result<Begun, Away>;
    /// Writes the event at place `seq`, counted from 0.
    async fn append(&self, change: &Change, seq: u32, event: &Event) -> Result<Appended, Away>;
    async fn read(&self, id: TransactionId) -> Result<Vec<Event>, Away>;
    async fn unfinished(&self) -> Result<Vec<TransactionId>, Away>;
}

/// All that carrying a transaction on needs.
#[derive(Clone, Copy)]
pub struct Ports<'a> {
    pub targets: &'a dyn Targets,
    pub probes: &'a dyn Probes,
    pub log: &'a dyn TransactionLog,
    pub clock: &'a dyn Clock,
}
