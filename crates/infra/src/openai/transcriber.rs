//! A transcription server as the care side's port.

use async_trait::async_trait;
use hysio_clinical::{jobs::JobError, ports::Transcriber};
use hysio_model::transcript::{Language, Transcript};

use std::time::Duration;

use uuid::Uuid;

use super::{Error, TranscriptionServer};

const ASK_EVERY: Duration = Duration::from_secs(1);
/// A server that has not told its progress so often does not tell it at all.
const UNANSWERED_MAX: u32 = 5;

#[async_trait]
impl Transcriber for TranscriptionServer {
    /// Only our own service tells how far it is; from others `progress` hears nothing.
    async fn transcribe(
        &self,
        audio: Vec<u8>,
        _media_type: &str,
        language: Option<Language>,
        progress: &(dyn Fn(f32) + Send + Sync),
    ) -> Result<Transcript, JobError> {
        let request = Uuid::new_v4();
        let work = self.transcribe_as(request, audio.into(), language);
        tokio::pin!(work);
        let mut unanswered = 0;
        loop {
            tokio::select! {
                done = &mut work => return done.map_err(|error| job_error(&error)),
                () = tokio::time::sleep(ASK_EVERY), if unanswered < UNANSWERED_MAX => {}
            }
            tokio::select! {
                done = &mut work => return done.map_err(|error| job_error(&error)),
                share = self.progress(request), if unanswered < UNANSWERED_MAX => match share {
                    Some(share) => progress(share),
                    None => unanswered += 1,
                },
            }
        }
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
