//! What goes wrong, and when. The world asks its script before every call.

use std::time::Duration;

use crate::transaction::{Event, Phase};

/// A call of an executor to the world.
#[derive(Clone, Copy, Debug)]
pub enum Call<'a> {
    Before,
    During,
    After,
    Observe,
    Set { count: i32, generation: i64 },
    Append(&'a Event),
    Read,
    Begin,
    Unfinished,
}

impl Call<'_> {
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::During => "during",
            Self::After => "after",
            Self::Observe => "observe",
            Self::Set { .. } => "set",
            Self::Append(_) => "append",
            Self::Read => "read",
            Self::Begin => "begin",
            Self::Unfinished => "unfinished",
        }
    }
}

/// A call with its circumstances.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub call: Call<'a>,
    pub executor: usize,
    /// Of the transaction that the call is about, as its log has it; of a target, its newest transaction's.
    pub phase: Option<Phase>,
    /// Since the world began.
    pub at: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Not reached. Facts could not be collected.
    Away,
    /// Done, and the answer is lost.
    Lost,
    /// Done twice, and the second answer is given.
    Twice,
    /// Nothing is answered, and it is done later.
    Late(Duration),
    /// Done and answered later.
    Slow(Duration),
    /// Neither done nor answered, ever.
    Silent,
    /// The executor ends before it is done.
    CrashBefore,
    /// The executor ends after it is done.
    CrashAfter,
    /// A check does not hold. Of other calls: not reached.
    Refused,
}

/// How an instance that is started will fare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// None for one that never gets ready.
    pub ready_after: Option<Duration>,
    pub dies_after: Option<Duration>,
}

impl Fate {
    pub const GOOD: Self = Self {
        ready_after: Some(Duration::from_millis(300)),
        dies_after: None,
    };
}

/// What somebody newer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Newer {
    /// Sets the target with a higher generation, and leaves no log here.
    Sets(i32),
    /// Begins a change that takes over.
    TakesOver(i32),
}

pub trait Script: Send {
    fn fault(&mut self, asked: Asked<'_>) -> Fault;

    /// Somebody newer who comes just before this call.
    fn newer(&mut self, _asked: Asked<'_>) -> Option<Newer> {
        None
    }

    fn fate(&mut self, _at: Duration) -> Fate {
        Fate::GOOD
    }

    /// From then on everything is well: also instances that would never have been ready or would have died.
    fn calm(&self, _at: Duration) -> bool {
        false
    }
}
