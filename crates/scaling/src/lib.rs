//! Pure decisions about capacity: no async, no clock, no I/O. So far the names of what is measured, which the exporter,
//! the rules and the policies share.

pub mod metrics;
