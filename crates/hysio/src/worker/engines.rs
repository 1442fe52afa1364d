//! The engines a worker uses, chosen by the configuration.

use std::time::Duration;

use async_trait::async_trait;
use hysio_clinical::{
    jobs::JobError,
    ports::{CodeQuery, Coder, Coding, Transcriber},
};
use hysio_infra::{
    blobs::Blobs,
    diagnosecode_client::DiagnosecodeClient,
    openai::{
        self,
        reranker::{self, Reranker},
    },
    smtp,
};
use hysio_model::{Phi, transcript::Language};

use crate::config::Config;

pub struct Engines {
    pub transcriber: Box<dyn Transcriber>,
    pub coder: Box<dyn Coder>,
    pub mailer: smtp::Mailer,
    pub blobs: Blobs,
}

impl Engines {
    /// # Errors
    /// When an address, a key file or the place of the recordings cannot be used.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        Ok(Self {
            transcriber: Box::new(transcription_server(config)?),
            coder: coder(config)?,
            mailer: mailer(config)?,
            blobs: Blobs::open(config.paths.blobs()).await?,
        })
    }
}

/// The server of `transcription.engine`, or else this installation's own transcription service.
fn transcription_server(config: &Config) -> anyhow::Result<openai::TranscriptionServer> {
    let own = format!("http://{}", config.http.transcription);
    let mut settings = match &config.transcription.engine {
        Some(engine) => {
            let mut settings = openai::Settings::new(
                &engine.url,
                engine.model.clone().unwrap_or_else(|| "whisper-1".into()),
            );
            settings.key_file.clone_from(&engine.key_file);
            settings
        }
        None => openai::Settings::new(own, &config.transcription.model),
    };
    settings.total_timeout = Duration::from_secs(config.transcription.timeout_seconds);
    Ok(openai::TranscriptionServer::new(settings)?)
}

/// The diagnosecode service, and the model that reorders what it finds, where one is configured.
///
/// # Errors
/// When an address or a key file cannot be used.
pub fn coder(config: &Config) -> anyhow::Result<Box<dyn Coder>> {
    let service = Service(code_client(config)?);
    let Some(reranker) = &config.diagnosecode.reranker else {
        return Ok(Box::new(service));
    };
    let reranker = Reranker::new(reranker::Settings {
        url: reranker.url.clone(),
        model: reranker.model.clone(),
        key_file: reranker.key_file.clone(),
        timeout: Duration::from_secs(reranker.timeout_seconds),
    })?;
    Ok(Box::new(Reordered { service, reranker }))
}

pub fn code_client(config: &Config) -> anyhow::Result<DiagnosecodeClient> {
    let own = format!("http://{}", config.http.diagnosecode);
    Ok(DiagnosecodeClient::new(
        config.diagnosecode.url.as_deref().unwrap_or(&own),
    )?)
}

fn mailer(config: &Config) -> anyhow::Result<smtp::Mailer> {
    let Some(url) = &config.smtp.url else {
        return Ok(smtp::Mailer::not_configured());
    };
    Ok(smtp::Mailer::new(&smtp::Settings {
        url: url.clone(),
        user: config.smtp.user.clone(),
        password_file: config.smtp.password_file.clone(),
        from: config
            .smtp
            .from
            .clone()
            .unwrap_or_else(|| "Hysio <no-reply@localhost>".into()),
        timeout: Duration::from_secs(30),
        authority_file: None,
        public_url: config.http.public_url.clone(),
    })?)
}

/// A service whose suggestions a model puts in order.
struct Reordered {
    service: Service,
    reranker: Reranker,
}

#[async_trait]
impl Coder for Reordered {
    async fn suggest(&self, text: &str, query: &CodeQuery) -> Result<Coding, JobError> {
        let coding = self.service.suggest(text, query).await?;
        match self.reranker.rerank(text, &coding.suggestions).await {
            Ok(suggestions) => Ok(Coding {
                suggestions,
                model: format!("{}+{}", coding.model, self.reranker.model()),
            }),
            Err(error) => {
                tracing::warn!(
                    error = crate::telemetry::chain(&error),
                    "the plain order of the codes counts"
                );
                Ok(coding)
            }
        }
    }
}

/// A diagnosecode service.
struct Service(DiagnosecodeClient);

#[async_trait]
impl Coder for Service {
    async fn suggest(&self, text: &str, query: &CodeQuery) -> Result<Coding, JobError> {
        let text = Phi::new(text.to_owned());
        let found = self
            .0
            .suggest(
                &text,
                query.system,
                query.language.map(Language::code),
                query.limit,
                query.patient,
            )
            .await;
        let found = found.map_err(|error| {
            if error.is_transient() {
                JobError::retry(
                    "coder-unavailable",
                    "the diagnosecode service cannot be reached or is busy",
                )
            } else {
                JobError::fail("coder-refused", error.to_string())
            }
        })?;
        Ok(Coding {
            suggestions: found.suggestions,
            model: found.model,
        })
    }
}
