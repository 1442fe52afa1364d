//! What came back, and how long it took.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;

const STALE: &str = "409 stale version";
/// Two minutes; what takes longer is counted as that.
const LONGEST_MICROS: u64 = 120_000_000;

/// What a clinician asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    ReadRecord,
    ListPatients,
    SaveNote,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::ReadRecord, Self::ListPatients, Self::SaveNote];

    /// 60 % read a record, 25 % list patients, 15 % save a note.
    pub fn any() -> Self {
        match fastrand::u8(..100) {
            0..60 => Self::ReadRecord,
            60..85 => Self::ListPatients,
            _ => Self::SaveNote,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::ReadRecord => "read record",
            Self::ListPatients => "list patients",
            Self::SaveNote => "save note",
        }
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug)]
pub enum Ending {
    Done,
    /// Somebody else had saved: the newer version is taken over, as a page would.
    Stale,
    Status(u16),
    Timeout,
    Disconnected,
}

impl Ending {
    /// Whether the same request may be answered a moment later: nothing was refused, somebody was away.
    pub fn may_pass(self) -> bool {
        matches!(
            self,
            Self::Status(502..=504) | Self::Timeout | Self::Disconnected
        )
    }
}

pub struct Tally {
    latencies: [Histogram<u64>; 3],
    errors: BTreeMap<String, u64>,
    seconds: Vec<Second>,
    /// Requests that were sent once more, as they were not answered.
    pub asked_again: u64,
}

/// The requests that were due in one second.
#[derive(Clone)]
pub struct Second {
    pub latencies: Histogram<u64>,
    pub errors: u64,
}

impl Second {
    fn new() -> Self {
        let latencies = Histogram::new_with_bounds(1, LONGEST_MICROS, 2);
        Self {
            latencies: latencies.expect("two digits are allowed"),
            errors: 0,
        }
    }
}

impl Default for Tally {
    fn default() -> Self {
        let empty =
            || Histogram::new_with_bounds(1, LONGEST_MICROS, 3).expect("three digits are allowed");
        Self {
            latencies: [empty(), empty(), empty()],
            errors: BTreeMap::new(),
            seconds: Vec::new(),
            asked_again: 0,
        }
    }
}

impl Tally {
    pub fn record(&mut self, kind: Kind, second: u64, latency: Duration, ending: Ending) {
        let place = usize::try_from(second).unwrap_or(0);
        if self.seconds.len() <= place {
            self.seconds.resize_with(place + 1, Second::new);
        }
        let second = &mut self.seconds[place];
        let error = match ending {
            Ending::Done => {
                let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
                self.latencies[kind as usize].saturating_record(micros);
                second.latencies.saturating_record(micros);
                return;
            }
            Ending::Stale => STALE.into(),
            Ending::Status(status) => status.to_string(),
            Ending::Timeout => "timeout".into(),
            Ending::Disconnected => "disconnected".into(),
        };
        // A newer version is an answer.
        second.errors += u64::from(!matches!(ending, Ending::Stale));
        *self.errors.entry(error).or_default() += 1;
    }

    pub fn seconds(&self) -> &[Second] {
        &self.seconds
    }

    /// Requests that were answered well, of all that were due: a newer version is an answer, a refusal is none.
    pub fn availability(&self) -> f64 {
        let well = self.all().len() + self.errors.get(STALE).copied().unwrap_or(0);
        let all = self.all().len() + self.errors.values().sum::<u64>();
        if all == 0 {
            1.0
        } else {
            well as f64 / all as f64
        }
    }

    /// Requests that were due and never sent, as those before them took too long.
    pub fn unsent(&mut self, requests: u64) {
        if requests > 0 {
            *self.errors.entry("never sent".into()).or_default() += requests;
        }
    }

    pub fn of(&self, kind: Kind) -> &Histogram<u64> {
        &self.latencies[kind as usize]
    }

    pub fn all(&self) -> Histogram<u64> {
        let mut all = self.latencies[0].clone();
        all += &self.latencies[1];
        all += &self.latencies[2];
        all
    }

    pub fn errors(&self) -> &BTreeMap<String, u64> {
        &self.errors
    }
}
