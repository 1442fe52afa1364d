//! Changing capacity. So far the decision of a supervisor: which of its processes to start, and when.

pub mod supervise;
