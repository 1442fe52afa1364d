//! Client of a diagnosecode service, for workers whose engine runs elsewhere.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use hysio_clinical::{
    diagnosecode::{Patient, retired::Retired},
    records::Code,
};
use hysio_model::{
    Phi,
    diagnosis::{CodeSystem, Suggestion},
};
use reqwest::{StatusCode, Url};
use serde::{Deserialize, Serialize};

/// Tries after the first.
const RETRIES_MAX: usize = 3;
const RETRY_DELAY_MIN: Duration = Duration::from_millis(100);
const RETRY_DELAY_MAX: Duration = Duration::from_secs(2);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A note takes milliseconds; a megabyte of text, seconds.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the diagnosecode service's address {url:?} is not a URL")]
    Address { url: String },
    #[error("build the HTTP client")]
    Build(#[source] reqwest::Error),
    #[error("reach the diagnosecode service at {url}: is it running?")]
    Unreachable {
        url: Url,
        #[source]
        source: reqwest::Error,
    },
    #[error("the diagnosecode service is too busy ({status})")]
    Busy { status: StatusCode },
    #[error("the diagnosecode service refused the request ({status}): {title}")]
    Refused { status: StatusCode, title: String },
    #[error("{0}")]
    Retired(Retired),
    #[error("read the diagnosecode service's answer")]
    Answer(#[source] reqwest::Error),
}

impl Error {
    /// Whether the same request may succeed later: a job is tried again then, and fails otherwise.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Busy { .. } => true,
            Self::Address { .. }
            | Self::Build(_)
            | Self::Refused { .. }
            | Self::Retired(_)
            | Self::Answer(_) => false,
        }
    }
}

#[derive(Debug, Clone)]
pub struct DiagnosecodeClient {
    http: reqwest::Client,
    suggest: Url,
    codes: Url,
}

/// What the service found, and with what.
#[derive(Debug, Clone, Deserialize)]
pub struct Suggested {
    pub suggestions: Vec<Suggestion>,
    /// Version of its ranking.
    pub model: String,
    /// Release of its catalogue.
    pub catalogue: String,
}

#[derive(Serialize)]
struct Request<'a> {
    text: &'a Phi<String>,
    system: CodeSystem,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
    limit: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    age: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sex: Option<String>,
}

/// The part of a problem that holds no detail of the request.
#[derive(Deserialize)]
struct Problem {
    title: String,
    retired: Option<Retired>,
}

/// What a code is.
#[derive(Debug, Clone)]
pub enum Lookup {
    Known(Code),
    /// It was one once.
    Retired(Retired),
    Unknown,
}

/// A code as the service lists it.
#[derive(Deserialize)]
struct Row {
    code: String,
    title: String,
    billable: bool,
    replaces: Option<String>,
}

impl Row {
    fn of(self, system: CodeSystem) -> Code {
        Code {
            system,
            code: self.code,
            title: self.title,
            billable: self.billable,
        }
    }
}

impl DiagnosecodeClient {
    /// `base` is such as `http://127.0.0.1:8081`.
    pub fn new(base: &str) -> Result<Self, Error> {
        let address = |path| {
            let joined = Url::parse(base).and_then(|url| url.join(path));
            joined.map_err(|_| Error::Address {
                url: base.to_owned(),
            })
        };
        let (suggest, codes) = (address("/v1/diagnosis-codes")?, address("/v1/codes/")?);
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .build()
            .map_err(Error::Build)?;
        Ok(Self {
            http,
            suggest,
            codes,
        })
    }

    /// `language` is `en`, `nl` or not known. Tries again, a few times, what may pass.
    /// What is known of the patient decides what suits them.
    pub async fn suggest(
        &self,
        text: &Phi<String>,
        system: CodeSystem,
        language: Option<&str>,
        limit: usize,
        patient: Patient,
    ) -> Result<Suggested, Error> {
        let request = Request {
            text,
            system,
            language,
            limit,
            age: patient.age_years,
            sex: patient.sex.map(|sex| sex.to_string()),
        };
        let backoff = ExponentialBuilder::default()
            .with_min_delay(RETRY_DELAY_MIN)
            .with_max_delay(RETRY_DELAY_MAX)
            .with_max_times(RETRIES_MAX)
            .with_jitter();
        (|| self.once(&request))
            .retry(backoff)
            .when(Error::is_transient)
            .await
    }

    /// What a code is in that system.
    pub async fn entry(&self, system: CodeSystem, code: &str) -> Result<Lookup, Error> {
        let mut url = self.codes.clone();
        let path = url.path_segments_mut().map(|mut path| {
            path.pop_if_empty().extend([system.as_str(), code]);
        });
        path.map_err(|()| Error::Address {
            url: self.codes.to_string(),
        })?;
        match self.get::<Row>(url).await {
            Ok(row) => Ok(Lookup::Known(row.of(system))),
            Err(Error::Retired(retired)) => Ok(Lookup::Retired(retired)),
            Err(Error::Refused {
                status: StatusCode::NOT_FOUND,
                ..
            }) => Ok(Lookup::Unknown),
            Err(error) => Err(error),
        }
    }

    /// Codes whose code or terms begin with what was typed, each with the retired code that it took the place of, where
    /// that is why it was found.
    pub async fn search(
        &self,
        system: CodeSystem,
        typed: &str,
        limit: usize,
    ) -> Result<Vec<(Code, Option<String>)>, Error> {
        let mut url = self.codes.clone();
        url.set_path(url.path().trim_end_matches('/').to_owned().as_str());
        url.query_pairs_mut()
            .append_pair("q", typed)
            .append_pair("system", system.as_str())
            .append_pair("limit", &limit.to_string());
        let rows: Vec<Row> = self.get(url).await?;
        Ok(rows
            .into_iter()
            .map(|mut row| {
                let replaces = row.replaces.take();
                (row.of(system), replaces)
            })
            .collect())
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, url: Url) -> Result<T, Error> {
        let sent = self.http.get(url).send().await;
        read(sent.map_err(|source| self.unreachable(source))?).await
    }

    fn unreachable(&self, source: reqwest::Error) -> Error {
        Error::Unreachable {
            url: self.suggest.clone(),
            source: source.without_url(),
        }
    }

    async fn once(&self, request: &Request<'_>) -> Result<Suggested, Error> {
        let sent = self
            .http
            .post(self.suggest.clone())
            .json(request)
            .send()
            .await;
        read(sent.map_err(|source| self.unreachable(source))?).await
    }
}

async fn read<T: serde::de::DeserializeOwned>(response: reqwest::Response) -> Result<T, Error> {
    let status = response.status();
    if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
        return Err(Error::Busy { status });
    }
    if !status.is_success() {
        let problem = response.json::<Problem>().await.ok();
        let (title, retired) = problem.map_or((None, None), |it| (Some(it.title), it.retired));
        return Err(match retired {
            Some(retired) => Error::Retired(retired),
            None => Error::Refused {
                status,
                title: title.unwrap_or_else(|| "no reason given".to_owned()),
            },
        });
    }
    response
        .json()
        .await
        .map_err(|error| Error::Answer(error.without_url()))
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    const FOUND: &str = r#"{"suggestions":[],"model":"m","catalogue":"c"}"#;

    /// Answers each connection with the next of `answers`; counts them.
    async fn server(answers: Vec<(u16, &'static str)>) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let served = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&served);
        tokio::spawn(async move {
            for (status, body) in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut buffer = vec![0; 65536];
                let _ = stream.read(&mut buffer).await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let answer = format!(
                    "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        (address, served)
    }

    async fn ask(address: &str) -> Result<Suggested, Error> {
        let text = Phi::new("secret knee".to_owned());
        DiagnosecodeClient::new(address)
            .unwrap()
            .suggest(&text, CodeSystem::Icd10Cm, None, 5, Patient::default())
            .await
    }

    #[tokio::test]
    async fn a_busy_service_is_asked_again() {
        let (address, served) = server(vec![(503, "{}"), (429, "{}"), (200, FOUND)]).await;
        assert_eq!(ask(&address).await.unwrap().model, "m");
        assert_eq!(served.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn a_refusal_is_final_and_says_why_without_the_text() {
        let (address, served) =
            server(vec![(422, r#"{"title":"The code system is not known"}"#)]).await;
        let error = ask(&address).await.unwrap_err();
        assert!(!error.is_transient());
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("The code system is not known") && !shown.contains("secret"));
        assert_eq!(served.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_service_that_is_down_is_named_and_worth_another_try() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let error = ask(&address).await.unwrap_err();
        assert!(error.is_transient());
        assert!(error.to_string().contains(&address));
    }
}
