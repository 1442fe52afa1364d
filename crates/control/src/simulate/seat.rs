//! One life of an executor: its view of the world, through calls that go wrong and a clock of its own.

use std::{
    future::{Future, pending},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use async_trait::async_trait;
use hysio_model::Clock;
use hysio_scaling::{
    Resource,
    gates::{self, AfterFacts, BeforeFacts, DuringFacts},
};
use jiff::{SignedDuration, Timestamp};
use tokio::{sync::Notify, time::sleep};

use super::{
    facts,
    script::{Call, Fault},
    world::{Things, World},
};
use crate::{
    ports::{Appended, Away, Begun, Observed, Ports, Probes, Set, Targets, TransactionLog, Wish},
    transaction::{Baseline, Change, Event, TransactionId},
};

pub struct Seat {
    world: Arc<World>,
    executor: usize,
    skew_ms: AtomicI64,
    crash: Notify,
}

impl Seat {
    #[must_use]
    pub fn new(world: &Arc<World>, executor: usize) -> Self {
        Self {
            world: Arc::clone(world),
            executor,
            skew_ms: AtomicI64::new(0),
            crash: Notify::new(),
        }
    }

    /// Sets the clock of this executor, by how much it is ahead.
    pub fn set_clock_ahead(&self, by: SignedDuration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.skew_ms.store(by, Ordering::Relaxed);
    }

    #[must_use]
    pub fn ports(&self) -> Ports<'_> {
        Ports {
            targets: self,
            probes: self,
            log: self,
            clock: self,
        }
    }

    /// What comes of `work`, unless the executor crashes: then it is dropped wherever it is.
    pub async fn live<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.crash.notified() => None,
            done = work => Some(done),
        }
    }

    async fn die<T>(&self) -> T {
        self.crash.notify_one();
        pending().await
    }

    async fn reach<T: Send>(
        &self,
        call: Call<'_>,
        about: Option<TransactionId>,
        act: impl Fn(&mut Things) -> T + Send + Sync + 'static,
    ) -> Result<T, Away> {
        let fault = self.world.fault(call, self.executor, about);
        let away = |what: &str| Err(Away(format!("{what} ({})", call.name())));
        match fault {
            Fault::None => {}
            Fault::Away | Fault::Refused => return away("not reached"),
            Fault::Lost => {
                act(&mut self.world.things());
                return away("answer lost");
            }
            Fault::Twice => drop(act(&mut self.world.things())),
            Fault::Late(after) => {
                let act = Box::new(move |things: &mut Things| drop(act(things)));
                self.world.things().later(after, act);
                return away("on its way");
            }
            Fault::Slow(after) => sleep(after).await,
            Fault::Silent => return pending().await,
            Fault::CrashBefore => return self.die().await,
            Fault::CrashAfter => {
                act(&mut self.world.things());
                return self.die().await;
            }
        }
        Ok(act(&mut self.world.things()))
    }

    /// Whether facts are collected, and if so whether all checks hold.
    async fn collect(&self, call: Call<'_>, change: &Change) -> Result<bool, Away> {
        match self.world.fault(call, self.executor, Some(change.id)) {
            Fault::None | Fault::Twice => Ok(true),
            Fault::Refused => Ok(false),
            Fault::Away | Fault::Lost | Fault::Late(_) => Err(Away("not collected".to_owned())),
            Fault::Slow(after) => {
                sleep(after).await;
                Ok(true)
            }
            Fault::Silent => pending().await,
            Fault::CrashBefore | Fault::CrashAfter => self.die().await,
        }
    }

    fn newest(&self, resource: Resource) -> Option<TransactionId> {
        Some(self.world.things().newest(resource)?.change.id)
    }
}

impl Clock for Seat {
    fn now(&self) -> Timestamp {
        let skew = SignedDuration::from_millis(self.skew_ms.load(Ordering::Relaxed));
        let right = self.world.time();
        right.checked_add(skew).unwrap_or(right)
    }
}

#[async_trait]
impl Targets for Seat {
    async fn observe(&self, resource: Resource) -> Result<Observed, Away> {
        let about = self.newest(resource);
        self.reach(Call::Observe, about, move |things| things.observe(resource))
            .await
    }

    async fn set(&self, resource: Resource, count: i32, generation: i64) -> Result<Set, Away> {
        let call = Call::Set { count, generation };
        let about = self.newest(resource);
        self.reach(call, about, move |things| {
            things.set(resource, count, generation)
        })
        .await
    }
}

#[async_trait]
impl Probes for Seat {
    async fn before(&self, change: &Change) -> (BeforeFacts, Baseline) {
        let facts = match self.collect(Call::Before, change).await {
            Ok(holds) => facts::before(change, holds),
            Err(Away(why)) => BeforeFacts::unknown(&why),
        };
        let mut things = self.world.things();
        if gates::before(&facts).passed() {
            things.held_before.push(change.id);
        }
        (facts, facts::baseline(self.world.time()))
    }

    async fn during(&self, change: &Change) -> DuringFacts {
        match self.collect(Call::During, change).await {
            Ok(holds) => facts::during(holds),
            Err(Away(why)) => DuringFacts::unknown(&why),
        }
    }

    async fn after(&self, change: &Change, baseline: &Baseline, _: Timestamp) -> AfterFacts {
        let collected = self.collect(Call::After, change).await;
        let mut things = self.world.things();
        let now = things.now;
        let target = things.targets.get(&change.resource);
        let ready: Vec<bool> = target.map_or(vec![], |target| target.readiness(now).collect());
        let facts = match collected {
            Ok(holds) => facts::after(change, baseline, ready.into_iter(), holds),
            Err(Away(why)) => AfterFacts::unknown(change.new, &why),
        };
        if gates::after(&facts).passed() {
            things.held_after.push(change.id);
        }
        facts
    }
}

#[async_trait]
impl TransactionLog for Seat {
    async fn begin(&self, wish: &Wish) -> Result<Begun, Away> {
        let about = self.newest(wish.resource);
        let wish = wish.clone();
        self.reach(Call::Begin, about, move |things| things.begin(&wish))
            .await
    }

    async fn append(&self, change: &Change, seq: u32, event: &Event) -> Result<Appended, Away> {
        let (changed, happened) = (change.clone(), event.clone());
        let seq = usize::try_from(seq).unwrap_or(usize::MAX);
        self.reach(Call::Append(event), Some(change.id), move |things| {
            things.ledger.append(&changed, seq, &happened)
        })
        .await
    }

    async fn read(&self, id: TransactionId) -> Result<Vec<Event>, Away> {
        self.reach(Call::Read, Some(id), move |things| things.ledger.read(id))
            .await
    }

    async fn unfinished(&self) -> Result<Vec<TransactionId>, Away> {
        self.reach(Call::Unfinished, None, |things| things.ledger.unfinished())
            .await
    }
}
