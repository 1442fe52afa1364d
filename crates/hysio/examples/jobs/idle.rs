//! Engines that do nothing, so that what is left is the queue itself.

use async_trait::async_trait;
use hysio::worker::Engines;
use hysio_clinical::{
    jobs::JobError,
    ports::{CodeQuery, Coder, Coding, Transcriber},
};
use hysio_infra::{blobs::Blobs, smtp::Mailer};
use hysio_model::{
    diagnosis::{CodeSystem, Evidence, Suggestion},
    transcript::{Language, Segment, Transcript},
};

pub fn engines(blobs: Blobs) -> Engines {
    Engines {
        transcriber: Box::new(Idle),
        coder: Box::new(Idle),
        mailer: Mailer::not_configured(),
        blobs,
    }
}

struct Idle;

#[async_trait]
impl Transcriber for Idle {
    async fn transcribe(
        &self,
        _: Vec<u8>,
        _: &str,
        _: Option<Language>,
        _: &(dyn Fn(f32) + Send + Sync),
    ) -> Result<Transcript, JobError> {
        let segment = Segment {
            start: 0.0,
            end: 1.0,
            text: "Chest pain.".into(),
            confidence: 1.0,
            words: vec![],
        };
        Ok(Transcript {
            language: Language::English,
            duration_seconds: 1.0,
            segments: vec![segment],
            model: "idle".into(),
        })
    }
}

#[async_trait]
impl Coder for Idle {
    async fn suggest(&self, _: &str, _: &CodeQuery) -> Result<Coding, JobError> {
        let evidence = Evidence {
            start: 0,
            end: 10,
            text: "Chest pain".into(),
            term: "chest pain".into(),
        };
        let suggestion = Suggestion {
            system: CodeSystem::Icd10Cm,
            code: "R07.9".into(),
            title: "Chest pain, unspecified".into(),
            probability: 0.8,
            billable: true,
            evidence: vec![evidence],
            ..Suggestion::default()
        };
        Ok(Coding {
            suggestions: vec![suggestion],
            model: "idle".into(),
        })
    }
}
