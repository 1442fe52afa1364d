//! The multipart form of a request. Fields that are not known are ignored, as OpenAI's own clients send many.

use axum::{
    body::Bytes,
    extract::{
        Multipart,
        multipart::{Field, MultipartError},
    },
    http::StatusCode,
};
use hysio_model::transcript::Language;
use hysio_speech::Choice;

use super::error::Error;

/// The model name that OpenAI's clients send by default; here it means `auto`.
pub const OPENAI_MODEL: &str = "whisper-1";

pub struct Form {
    pub file: Bytes,
    pub model: Choice,
    /// Found out when not given.
    pub language: Option<Language>,
    pub format: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Json,
    VerboseJson,
    Text,
    Srt,
    Vtt,
}

impl Form {
    pub async fn read(mut multipart: Multipart) -> Result<Self, Error> {
        let (mut file, mut model) = (None, Choice::Auto);
        let (mut language, mut format) = (None, Format::default());
        while let Some(field) = multipart.next_field().await? {
            match field.name().unwrap_or_default() {
                "file" => file = Some(field.bytes().await?),
                "model" => model = parse_model(&text(field).await?)?,
                "language" => language = parse_language(&text(field).await?)?,
                "response_format" => format = parse_format(&text(field).await?)?,
                // Read to its end by the next turn.
                _ => {}
            }
        }
        Ok(Self {
            file: file.ok_or_else(|| invalid("file", "the field file is missing"))?,
            model,
            language,
            format,
        })
    }
}

impl From<MultipartError> for Error {
    fn from(error: MultipartError) -> Self {
        if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Self::TooLarge
        } else {
            Self::Form(error.body_text())
        }
    }
}

async fn text(field: Field<'_>) -> Result<String, Error> {
    Ok(field.text().await?.trim().to_owned())
}

fn parse_model(text: &str) -> Result<Choice, Error> {
    if text.is_empty() || text == OPENAI_MODEL {
        return Ok(Choice::Auto);
    }
    text.parse()
        .map_err(|_| Error::UnknownModel(text.chars().take(NAME_MAX).collect()))
}

fn parse_language(text: &str) -> Result<Option<Language>, Error> {
    if text.is_empty() || text == "auto" {
        return Ok(None);
    }
    let parsed = text.parse().map(Some);
    parsed.map_err(|_| invalid("language", "language is not supported: use en or nl"))
}

fn parse_format(text: &str) -> Result<Format, Error> {
    match text {
        "" | "json" => Ok(Format::Json),
        "verbose_json" => Ok(Format::VerboseJson),
        "text" => Ok(Format::Text),
        "srt" => Ok(Format::Srt),
        "vtt" => Ok(Format::Vtt),
        _ => Err(invalid(
            "response_format",
            "response_format is unknown: use json, verbose_json, text, srt or vtt",
        )),
    }
}

/// As much of a wrong name as is sent back.
const NAME_MAX: usize = 64;

fn invalid(name: &'static str, message: &str) -> Error {
    Error::Field {
        name,
        message: message.to_owned(),
    }
}
