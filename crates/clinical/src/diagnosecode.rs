//! Diagnosis codes.
