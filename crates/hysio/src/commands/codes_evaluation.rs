//! The evaluation of diagnosis codes.
