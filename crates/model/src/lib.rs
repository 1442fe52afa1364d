//! The nouns that two or more crates share. No I/O, no clock but the [`Clock`] port, no async.

pub mod audit;
pub mod clock;
pub mod diagnosis;
pub mod facility;
pub mod id;
pub mod phi;
pub mod role;
pub mod service;
pub mod specialty;
pub mod transcript;

pub use clock::{Clock, SystemClock};
pub use facility::Facility;
pub use phi::Phi;
pub use role::Role;
pub use service::{QueueName, ServiceName};
pub use specialty::Specialty;
