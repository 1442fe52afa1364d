//! The care side.

pub mod diagnosecode;
