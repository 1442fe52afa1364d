//! A client of any server that speaks OpenAI's `POST /v1/audio/transcriptions`: vLLM, speaches, whisper.cpp's server, OpenAI
//! itself, or Hysio's own transcription service.
//!
//! Servers differ in what they leave out; [`reply`] forgives that. Connection errors, 429 and 5xx are tried again, a bounded
//! number of times; everything else is final. No error ever holds a part of a transcript.

mod reply;
pub mod reranker;
mod transcriber;

use std::{path::PathBuf, time::Duration};

use backon::{BackoffBuilder, ExponentialBuilder, Retryable};
use bytes::Bytes;
use hysio_model::transcript::{Language, Transcript};
use reqwest::{
    Client, Response, StatusCode,
    header::{HeaderValue, RETRY_AFTER},
    multipart::{Form, Part},
};
use uuid::Uuid;
use zeroize::Zeroizing;

/// How to reach a server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server's root, with or without `/v1`, such as `https://gpu.example/v1`.
    pub url: String,
    /// The name that the server gives its model.
    pub model: String,
    /// Holds the API key, where the server wants one.
    pub key_file: Option<PathBuf>,
    pub connect_timeout: Duration,
    /// For one attempt, from the first byte sent to the last one received.
    pub total_timeout: Duration,
    /// Further attempts after the first.
    pub retries: usize,
    /// Before the first retry; doubles each time, with jitter.
    pub backoff: Duration,
}

impl Settings {
    pub fn new(url: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            model: model.into(),
            key_file: None,
            connect_timeout: Duration::from_secs(5),
            total_timeout: Duration::from_secs(600),
            retries: 3,
            backoff: Duration::from_millis(500),
        }
    }
}

/// A server that asks for more patience than this is not waited for within a call.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);
const PROGRESS_TIMEOUT: Duration = Duration::from_secs(2);
/// A transcript of many hours is a few megabytes; anything beyond is no transcript.
const REPLY_BYTES_MAX: usize = 64 * 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the address {0:?} of the transcription server is no URL")]
    Url(String),
    #[error("read the key of the transcription server from {path}")]
    Key {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the key in {0} has characters that can't be sent")]
    KeyForm(PathBuf),
    #[error("set up the client of the transcription server")]
    Client(#[source] reqwest::Error),
    #[error("the transcription server at {url} can't be reached: is it running?")]
    Unreachable {
        url: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("the transcription server did not answer in time")]
    TimedOut,
    #[error("the transcription server is busy ({status})")]
    Busy {
        status: StatusCode,
        retry_after: Option<Duration>,
    },
    #[error("the transcription server failed ({status})")]
    Failed { status: StatusCode },
    #[error("the connection to the transcription server broke off")]
    BrokeOff,
    #[error("the transcription server refused the key ({status}): check the key file")]
    Unauthorised { status: StatusCode },
    #[error("the transcription server refused the request ({status}): {message}")]
    Refused { status: StatusCode, message: String },
    #[error("the transcription server's answer is no transcript: {0}")]
    Rubbish(&'static str),
    #[error("the transcription server's answer is larger than {REPLY_BYTES_MAX} bytes")]
    TooLarge,
}

impl Error {
    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::TimedOut
            | Self::Busy { .. }
            | Self::Failed { .. }
            | Self::BrokeOff => true,
            Self::Url(_)
            | Self::Key { .. }
            | Self::KeyForm(_)
            | Self::Client(_)
            | Self::Unauthorised { .. }
            | Self::Refused { .. }
            | Self::Rubbish(_)
            | Self::TooLarge => false,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        if let Self::Busy { retry_after, .. } = self {
            *retry_after
        } else {
            None
        }
    }
}

/// What our own service says of a request that is under way.
#[derive(serde::Deserialize)]
struct Progress {
    progress: f32,
}

pub struct TranscriptionServer {
    client: Client,
    endpoint: reqwest::Url,
    settings: Settings,
    authorization: Option<HeaderValue>,
}

impl TranscriptionServer {
    /// Reads the key; does not connect.
    ///
    /// # Errors
    /// When the address or the key file is wrong.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let client = Client::builder()
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.total_timeout)
            // The key and the recording go to the address that was configured and nowhere else.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(Error::Client)?;
        Ok(Self {
            client,
            endpoint: endpoint(&settings.url)?,
            authorization: settings.key_file.clone().map(authorization).transpose()?,
            settings,
        })
    }

    /// Has a recording transcribed. `audio` is a file in any form that the server takes.
    ///
    /// # Errors
    /// When the server can't be reached, refuses or answers nonsense; see [`Error::is_retryable`].
    pub async fn transcribe(
        &self,
        audio: Bytes,
        language: Option<Language>,
    ) -> Result<Transcript, Error> {
        self.transcribe_as(Uuid::new_v4(), audio, language).await
    }

    /// How far the server is with a request, 0 to 1. None where it does not tell, as only our own does.
    async fn progress(&self, request: Uuid) -> Option<f32> {
        let mut url = self.endpoint.clone();
        url.path_segments_mut().ok()?.push(&request.to_string());
        let response = self
            .client
            .get(url)
            .timeout(PROGRESS_TIMEOUT)
            .send()
            .await
            .ok()?;
        let told: Progress = response.error_for_status().ok()?.json().await.ok()?;
        Some(told.progress)
    }

    async fn transcribe_as(
        &self,
        request: Uuid,
        audio: Bytes,
        language: Option<Language>,
    ) -> Result<Transcript, Error> {
        let attempt = || self.attempt(request, audio.clone(), language);
        attempt
            .retry(self.backoff())
            .when(|error: &Error| worth_waiting(error))
            .adjust(|error: &Error, planned| {
                // The server knows better than the plan; no wait is planned after the last attempt.
                let planned = planned?;
                Some(error.retry_after().unwrap_or(planned))
            })
            .notify(|error: &Error, wait| {
                let wait_ms = wait.as_millis();
                tracing::warn!(%error, wait_ms, "the transcription server is asked again");
            })
            .await
    }

    fn backoff(&self) -> impl BackoffBuilder {
        ExponentialBuilder::default()
            .with_min_delay(self.settings.backoff)
            .with_max_delay(RETRY_AFTER_MAX)
            .with_max_times(self.settings.retries)
            .with_jitter()
    }

    async fn attempt(
        &self,
        id: Uuid,
        audio: Bytes,
        language: Option<Language>,
    ) -> Result<Transcript, Error> {
        let length = audio.len() as u64;
        // The server looks at the content; a name is required and must say nothing about the patient.
        let file = Part::stream_with_length(audio, length).file_name("audio");
        let mut form = Form::new()
            .part("file", file)
            .text("model", self.settings.model.clone())
            .text("response_format", "verbose_json");
        if let Some(language) = language {
            form = form.text("language", language.code());
        }
        let mut request = self
            .client
            .post(self.endpoint.clone())
            .header("x-request-id", id.to_string())
            .multipart(form);
        if let Some(authorization) = &self.authorization {
            request = request.header(reqwest::header::AUTHORIZATION, authorization.clone());
        }
        let response = request.send().await.map_err(|it| self.unsent(it))?;
        let status = response.status();
        let retry_after = retry_after(&response);
        let body = read(response).await?;
        if status.is_success() {
            return reply::transcript(&body, &self.settings.model, language);
        }
        Err(refusal(status, retry_after, &body))
    }

    fn unsent(&self, error: reqwest::Error) -> Error {
        if error.is_timeout() && !error.is_connect() {
            Error::TimedOut
        } else if error.is_connect() {
            Error::Unreachable {
                url: self.endpoint.origin().ascii_serialization(),
                source: error.without_url(),
            }
        } else {
            Error::BrokeOff
        }
    }
}

fn worth_waiting(error: &Error) -> bool {
    let patience = error.retry_after().is_none_or(|it| it <= RETRY_AFTER_MAX);
    error.is_retryable() && patience
}

fn endpoint(url: &str) -> Result<reqwest::Url, Error> {
    let root = url.trim_end_matches('/').trim_end_matches("/v1");
    let endpoint = format!("{root}/v1/audio/transcriptions");
    let parsed = reqwest::Url::parse(&endpoint).map_err(|_| Error::Url(url.to_owned()))?;
    match parsed.scheme() {
        "http" | "https" => Ok(parsed),
        _ => Err(Error::Url(url.to_owned())),
    }
}

fn authorization(path: PathBuf) -> Result<HeaderValue, Error> {
    let key = match std::fs::read_to_string(&path) {
        Ok(key) => Zeroizing::new(key),
        Err(source) => return Err(Error::Key { path, source }),
    };
    let bearer = Zeroizing::new(format!("Bearer {}", key.trim()));
    let mut value = HeaderValue::from_str(&bearer).map_err(|_| Error::KeyForm(path))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Whole seconds; the form with a date is rare and read as absent.
fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}

async fn read(mut response: Response) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    loop {
        let chunk = response.chunk().await.map_err(|error| {
            if error.is_timeout() {
                Error::TimedOut
            } else {
                Error::BrokeOff
            }
        })?;
        let Some(chunk) = chunk else { return Ok(body) };
        if body.len() + chunk.len() > REPLY_BYTES_MAX {
            return Err(Error::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
}

fn refusal(status: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> Error {
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Error::Busy {
            status,
            retry_after,
        },
        StatusCode::REQUEST_TIMEOUT => Error::TimedOut,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Error::Unauthorised { status },
        _ if status.is_server_error() => Error::Failed { status },
        _ => Error::Refused {
            status,
            message: reply::refusal(body),
        },
    }
}

#[cfg(test)]
mod tests;
