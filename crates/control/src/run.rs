//! Carries one transaction on to its end: fold the log, do the next step, write what happened, again.

use crate::{
    patience::answer,
    perform::perform,
    ports::{Appended, Away, Ports},
    transaction::{Illegal, Phase, State, TransactionId, next_step},
};

/// Why a transaction was not carried to its end here. It is carried on later, by whoever comes first.
#[derive(Debug, thiserror::Error)]
pub enum Interrupted {
    #[error("the log of transactions cannot be reached: {0}")]
    Away(#[from] Away),
    #[error("somebody else carries it on")]
    Taken,
    #[error(transparent)]
    Corrupt(#[from] Illegal),
}

/// # Errors
/// When the log cannot be read or written, or when somebody else writes it.
pub async fn carry_on(id: TransactionId, ports: &Ports<'_>) -> Result<Phase, Interrupted> {
    let mut state = State::of(&answer(ports.log.read(id)).await?)?;
    while let Some(step) = next_step(&state) {
        let event = perform(step, &state, ports).await;
        match answer(ports.log.append(&state.change, state.seq, &event)).await? {
            Appended::Written => state = state.apply(&event)?,
            Appended::Taken => return Err(Interrupted::Taken),
        }
    }
    Ok(state.phase)
}
