//! Diagnosis codes: clinical text in, ranked codes out, each with the words that support it.
//!
//! ```text
//! packages ─▶ catalogue (built once, one file) ─▶ Engine ─▶ suggest(text, query) ─▶ Vec<Suggestion>
//! ```
//!
//! The engine is a full-text matcher over every title, inclusion term and index entry of the catalogue. It never
//! invents a code, and never suggests one without pointing at the words of the text. Deliberately absent: I/O beyond
//! reading the catalogue, any clock, and any memory of the texts that it saw.

pub mod catalogue;
mod coherence;
mod dcsph;
pub mod edits;
mod engine;
pub mod learning;
mod matcher;
pub mod retired;
mod search;
mod shown;
mod text;

pub use catalogue::Catalogue;
pub use edits::{Patient, Sex};
pub use engine::{
    Engine, Error, Explained, Language, MAX_LIMIT, MAX_TEXT_BYTES, MODEL_VERSION, NoteEvidence,
    Query,
};
pub use shown::{Row, Shown};
