//! The embedded speech engine: sound in any common form to a transcript, on the CPU, in Rust.
//!
//! [`audio`] decodes, [`Engine`] hears. The models are files in a [`Folder`]; nothing is ever downloaded from here. There is
//! no async and no HTTP: a call blocks, reports its progress and can be cancelled.

pub mod audio;
pub mod captions;
mod chunk;
mod engine;
mod mel;
mod model;
mod narrow;
mod runtime;
mod vad;
mod vocabulary;
mod whisper;

pub use engine::{Engine, Options, Progress, Transcription, Watch};
pub use model::{Choice, Folder, Model};
pub use runtime::Error;

/// A word that the model was less sure of than this is shown to the clinician as doubtful.
pub const DOUBTFUL_CONFIDENCE: f32 = 0.5;
