//! The log of transactions with its audit trail, in memory.

use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    ports::{Appended, Begun, Wish},
    transaction::{Change, Event, State, TransactionId, audit_words},
};

/// One transaction's log.
#[derive(Clone, Debug)]
pub struct Log {
    pub change: Change,
    pub events: Vec<Event>,
}

impl Log {
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.events.iter().map(Event::name).collect()
    }

    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.events.iter().any(|event| event.name() == name)
    }

    /// None when the log does not fold.
    #[must_use]
    pub fn state(&self) -> Option<State> {
        State::of(&self.events).ok()
    }

    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state().is_some_and(|state| state.phase.is_end())
    }
}

/// An entry of the audit trail, and the event that it was written with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub transaction: TransactionId,
    pub seq: usize,
    pub action: String,
}

#[derive(Debug, Default)]
pub struct Ledger {
    /// In the order in which they began.
    pub logs: Vec<Log>,
    pub audit: Vec<Entry>,
    /// Every event of every transaction in the order of writing.
    pub order: Vec<(TransactionId, usize)>,
}

impl Ledger {
    /// `desired` and `generation` are what the target was last set to, and by whom.
    pub fn begin(&mut self, wish: &Wish, desired: i32, generation: i64, at: Timestamp) -> Begun {
        let live = self
            .logs
            .iter()
            .find(|log| log.change.resource == wish.resource && !log.is_over())
            .map(|log| log.change.clone());
        match &live {
            Some(live) if !wish.supersede => return Begun::InFlight(live.id),
            None if desired == wish.new => return Begun::AlreadySo,
            Some(_) | None => {}
        }
        let by = self.next_generation(generation);
        if let Some(live) = &live {
            let seq = self.read(live.id).len();
            self.append(live, seq, &Event::Superseded { at, by });
        }
        let id = TransactionId(Uuid::from_u128(self.logs.len() as u128 + 1));
        let change = wish.change(id, by, desired, live.as_ref());
        self.logs.push(Log {
            change: change.clone(),
            events: Vec::new(),
        });
        let event = Event::Initiated {
            at,
            change: change.clone(),
        };
        self.append(&change, 0, &event);
        Begun::Yes(change)
    }

    pub fn append(&mut self, change: &Change, seq: usize, event: &Event) -> Appended {
        let Some(log) = self.logs.iter_mut().find(|log| log.change.id == change.id) else {
            return Appended::Taken;
        };
        if log.events.len() != seq {
            return Appended::Taken;
        }
        log.events.push(event.clone());
        self.order.push((change.id, seq));
        self.audit
            .extend(audit_words(change, event).into_iter().map(|entry| Entry {
                transaction: change.id,
                seq,
                action: entry.action,
            }));
        Appended::Written
    }

    #[must_use]
    pub fn read(&self, id: TransactionId) -> Vec<Event> {
        self.log(id)
            .map(|log| log.events.clone())
            .unwrap_or_default()
    }

    #[must_use]
    pub fn log(&self, id: TransactionId) -> Option<&Log> {
        self.logs.iter().find(|log| log.change.id == id)
    }

    #[must_use]
    pub fn unfinished(&self) -> Vec<TransactionId> {
        self.logs
            .iter()
            .filter(|log| !log.is_over())
            .map(|log| log.change.id)
            .collect()
    }

    /// Two above everything that was ever used: one for the change, one for rolling it back.
    #[must_use]
    pub fn next_generation(&self, set_by: i64) -> i64 {
        let begun = self.logs.iter().map(|log| log.change.generation).max();
        begun.unwrap_or(0).max(set_by) + 2
    }
}
