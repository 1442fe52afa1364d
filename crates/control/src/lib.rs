//! Changing capacity: the loop that observes, decides and begins, and the transaction that carries one change through.

pub mod fleet;
mod patience;
pub mod perform;
pub mod ports;
pub mod run;
pub mod simulate;
pub mod supervise;
pub mod tick;
pub mod transaction;
