//! A transcription server as the care side's port.

use async_trait::async_trait;
use hysio_clinical::{jobs::JobError, ports::Transcriber};
use hysio_model::transcript::{Language, Transcript};

use super::{Error, TranscriptionServer};

#[async_trait]
impl Transcriber for TranscriptionServer {
    /// Such servers don't tell how far they are: `progress` hears nothing.
    async fn transcribe(
        &self,
        audio: Vec<u8>,
        _media_type: &str,
        language: Option<Language>,
        _progress: &(dyn Fn(f32) + Send + Sync),
    ) -> Result<Transcript, JobError> {
        Self::transcribe(self, audio.into(), language)
            .await
            .map_err(|error| job_error(&error))
    }
}

fn job_error(error: &Error) -> JobError {
    let message = error.to_string();
    if error.is_retryable() {
        JobError::retry("transcription_server_down", message)
    } else {
        JobError::fail("transcription_server_refused", message)
    }
}
