//! What a job is and what becomes of one that fails. Leasing itself is the database's (see `infra::postgres::jobs`).

use std::time::Duration;

use hysio_model::{
    QueueName,
    id::{EncounterId, FacilityId, JobId, UserId},
};
use uuid::Uuid;

/// How urgent a job is: a smaller number is taken first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Priority(pub i16);

impl Priority {
    /// The emergency department.
    pub const URGENT: Self = Self(1);
    /// A clinician is waiting.
    pub const NORMAL: Self = Self(5);
    /// Nobody is waiting: mails.
    pub const LOW: Self = Self(8);
}

/// A job that this worker holds, until the lease expires.
#[derive(Clone, Debug)]
pub struct Leased {
    pub id: JobId,
    pub facility: FacilityId,
    pub queue: QueueName,
    pub encounter: EncounterId,
    /// What it is about, as the queue understands it: a recording's id, a record's id and version, a user's id.
    pub subject: String,
    /// 1 for the first.
    pub attempt: i32,
    pub max_attempts: i32,
    /// Only who still holds this token may commit.
    pub token: Uuid,
    pub requested_by: Option<UserId>,
}

/// Why a job did not succeed, and whether trying again can help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    #[error("{code}: {message}")]
    Retry { code: &'static str, message: String },
    #[error("{code}: {message}")]
    Fail { code: &'static str, message: String },
}

impl JobError {
    /// Something outside was not there; it may be there later.
    pub fn retry(code: &'static str, message: impl Into<String>) -> Self {
        Self::Retry {
            code,
            message: message.into(),
        }
    }

    /// The job itself cannot be done, now or later.
    pub fn fail(code: &'static str, message: impl Into<String>) -> Self {
        Self::Fail {
            code,
            message: message.into(),
        }
    }

    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Retry { code, .. } | Self::Fail { code, .. } => code,
        }
    }

    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::Retry { message, .. } | Self::Fail { message, .. } => message,
        }
    }
}

/// What to do with a job after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    RetryAfter(Duration),
    Dead,
}

/// The wait before the second attempt; it doubles for each further one.
const FIRST_BACKOFF: Duration = Duration::from_secs(2);
/// Long enough for a service to be restarted, short enough that a clinician still waits for it.
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);

/// Retry with exponential backoff, or dead-letter. `spread` (0 to 1) is a random number that keeps retries apart.
#[must_use]
pub fn verdict(error: &JobError, attempt: i32, max_attempts: i32, spread: f64) -> Verdict {
    match error {
        JobError::Fail { .. } => Verdict::Dead,
        JobError::Retry { .. } if attempt >= max_attempts => Verdict::Dead,
        JobError::Retry { .. } => {
            let doublings = u32::try_from(attempt.clamp(1, 16) - 1).expect("clamped to 1..=16");
            let full = FIRST_BACKOFF
                .saturating_mul(2_u32.pow(doublings))
                .min(LONGEST_BACKOFF);
            Verdict::RetryAfter(full.mul_f64(0.5 + spread.clamp(0.0, 1.0) / 2.0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_and_is_bounded() {
        let error = JobError::retry("engine-down", "no answer");
        let waits: Vec<_> = (1..=10)
            .map(|attempt| match verdict(&error, attempt, 20, 1.0) {
                Verdict::RetryAfter(wait) => wait.as_secs(),
                Verdict::Dead => panic!("attempts are left"),
            })
            .collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    }

    #[test]
    fn the_last_attempt_and_a_hopeless_job_are_dead() {
        assert_eq!(
            verdict(&JobError::retry("engine-down", ""), 5, 5, 0.5),
            Verdict::Dead
        );
        assert_eq!(
            verdict(&JobError::fail("not-audio", ""), 1, 5, 0.5),
            Verdict::Dead
        );
    }
}
