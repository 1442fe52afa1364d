//! The care pipeline as a state machine: what happened is folded into a state, and the state says which queue comes next.
//!
//! ```text
//! Open ─audio─▶ Received ─▶ Transcribed ─▶ Coded ─▶ Drafted ─sign─▶ Signed
//!                   │            │                     ▲              │
//!                   └── Failed ◀─┘                     └────amend─────┘
//!                          └──(audio again, or re-drive)──▶ where it failed
//! ```
//!
//! A stage is load → compute → commit and never calls another stage; the commit writes the next job.

use std::{fmt, str::FromStr};

use hysio_model::QueueName;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where an encounter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Open,
    Received,
    Transcribed,
    Coded,
    Drafted,
    Signed,
    Failed,
}

/// What happened to an encounter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    AudioAccepted,
    Transcribed,
    Coded,
    Drafted,
    Signed,
    Amended,
    Failed,
    /// A person put the failed transcription back into its queue.
    TranscriptionRedriven,
    /// A person asked for codes again, after a failure or after editing.
    CodingRequested,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AudioAccepted => "another recording",
            Self::Transcribed => "a transcript",
            Self::Coded => "its coding",
            Self::Drafted => "a draft",
            Self::Signed => "signing",
            Self::Amended => "amending",
            Self::Failed => "a failure",
            Self::TranscriptionRedriven => "putting the transcription back",
            Self::CodingRequested => "asking for codes again",
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the encounter is {state}, and {event} cannot follow that now")]
pub struct Illegal {
    pub state: State,
    pub event: Event,
}

impl State {
    pub const ALL: [Self; 7] = [
        Self::Open,
        Self::Received,
        Self::Transcribed,
        Self::Coded,
        Self::Drafted,
        Self::Signed,
        Self::Failed,
    ];

    /// The state after `event`, or that it cannot happen now.
    pub fn apply(self, event: Event) -> Result<Self, Illegal> {
        let next = match (self, event) {
            (Self::Open | Self::Failed | Self::Drafted, Event::AudioAccepted)
            | (Self::Failed, Event::TranscriptionRedriven) => Self::Received,
            (Self::Received, Event::Transcribed)
            | (Self::Failed | Self::Drafted, Event::CodingRequested) => Self::Transcribed,
            (Self::Transcribed, Event::Coded) => Self::Coded,
            (Self::Coded, Event::Drafted) | (Self::Signed, Event::Amended) => Self::Drafted,
            (Self::Drafted, Event::Signed) => Self::Signed,
            (Self::Received | Self::Transcribed, Event::Failed) => Self::Failed,
            (state, event) => return Err(Illegal { state, event }),
        };
        Ok(next)
    }

    /// The queue whose worker moves an encounter on from here, if one does.
    #[must_use]
    pub fn next_job(self) -> Option<QueueName> {
        match self {
            Self::Received => Some(QueueName::Transcription),
            Self::Transcribed => Some(QueueName::Diagnosecode),
            Self::Open | Self::Coded | Self::Drafted | Self::Signed | Self::Failed => None,
        }
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Received => "received",
            Self::Transcribed => "transcribed",
            Self::Coded => "coded",
            Self::Drafted => "drafted",
            Self::Signed => "signed",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for State {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("no encounter state is called {text:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [Event; 9] = [
        Event::AudioAccepted,
        Event::Transcribed,
        Event::Coded,
        Event::Drafted,
        Event::Signed,
        Event::Amended,
        Event::Failed,
        Event::TranscriptionRedriven,
        Event::CodingRequested,
    ];

    #[test]
    fn the_happy_path_leads_to_a_signed_record() {
        let path = [
            Event::AudioAccepted,
            Event::Transcribed,
            Event::Coded,
            Event::Drafted,
            Event::Signed,
        ];
        let end = path.into_iter().try_fold(State::Open, State::apply);
        assert_eq!(end, Ok(State::Signed));
    }

    #[test]
    fn a_signed_encounter_takes_nothing_but_an_amendment() {
        let taken: Vec<_> = EVENTS
            .into_iter()
            .filter(|event| State::Signed.apply(*event).is_ok())
            .collect();
        assert_eq!(taken, [Event::Amended]);
    }

    #[test]
    fn every_state_that_waits_for_a_worker_can_fail_and_every_failure_can_be_mended() {
        for state in State::ALL
            .into_iter()
            .filter(|state| state.next_job().is_some())
        {
            assert_eq!(state.apply(Event::Failed), Ok(State::Failed));
        }
        for mend in [
            Event::AudioAccepted,
            Event::TranscriptionRedriven,
            Event::CodingRequested,
        ] {
            let mended = State::Failed.apply(mend).expect("a failure can be mended");
            assert!(
                mended.next_job().is_some(),
                "{mend:?} leads back to a queue"
            );
        }
    }

    #[test]
    fn names_round_trip() {
        for state in State::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
    }
}
