//! A Prometheus server, asked for what is now. The form of its answers is that of its HTTP API, version 1.

use std::time::Duration;

use serde::Deserialize;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Cheap to clone.
#[derive(Clone)]
pub struct Prometheus {
    base: String,
    client: reqwest::Client,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("Prometheus cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    #[error("Prometheus refuses the query {query:?}: {why}")]
    Refused { query: String, why: String },
    #[error("no series answers {query:?}: does anybody export it?")]
    Nothing { query: String },
    #[error("{series} series answer {query:?}, and one is needed: sum() them")]
    Many { query: String, series: usize },
    #[error("the answer to {query:?} is no number")]
    NoNumber { query: String },
}

#[derive(Deserialize)]
struct Answer {
    status: String,
    #[serde(default)]
    error: String,
    data: Option<Data>,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Data {
    Vector(Vec<Sample>),
    Scalar((f64, String)),
    Matrix(serde::de::IgnoredAny),
    String(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct Sample {
    value: (f64, String),
}

impl Prometheus {
    /// `base` is such as `http://prometheus:9090`.
    ///
    /// # Errors
    /// When this machine's certificates cannot be read.
    pub fn new(base: &str) -> Result<Self, reqwest::Error> {
        Ok(Self {
            base: base.trim_end_matches('/').to_owned(),
            client: reqwest::Client::builder().timeout(TIMEOUT).build()?,
        })
    }

    /// The one value that a query has now.
    ///
    /// # Errors
    /// When it cannot be asked, or does not answer with one finite number. NaN is what Prometheus says of nothing over nothing.
    pub async fn value(&self, query: &str) -> Result<f64, Error> {
        let answer: Answer = self
            .client
            .get(self.address(query))
            .send()
            .await
            .map_err(|error| Error::Unreachable(error.without_url()))?
            .json()
            .await
            .map_err(|error| Error::Unreachable(error.without_url()))?;
        value(query, answer)
    }
}

impl Prometheus {
    fn address(&self, query: &str) -> String {
        let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        format!("{}/api/v1/query?query={query}", self.base)
    }
}

fn value(query: &str, answer: Answer) -> Result<f64, Error> {
    let query = query.to_owned();
    if answer.status != "success" {
        return Err(Error::Refused {
            query,
            why: answer.error,
        });
    }
    let text = match answer.data {
        Some(Data::Vector(samples)) => match samples.as_slice() {
            [] => return Err(Error::Nothing { query }),
            [one] => one.value.1.clone(),
            many => {
                return Err(Error::Many {
                    query,
                    series: many.len(),
                });
            }
        },
        Some(Data::Scalar((_, text))) => text,
        Some(Data::Matrix(_) | Data::String(_)) | None => return Err(Error::NoNumber { query }),
    };
    text.parse()
        .ok()
        .filter(|value: &f64| value.is_finite())
        .ok_or(Error::NoNumber { query })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<f64, String> {
        value("up", serde_json::from_str(text).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn one_value_is_read_and_everything_else_says_what_it_is() {
        let vector = |samples: &str| {
            format!(
                r#"{{"status":"success","data":{{"resultType":"vector","result":[{samples}]}}}}"#
            )
        };
        let one = r#"{"metric":{},"value":[1,"2.5"]}"#;
        assert_eq!(read(&vector(one)), Ok(2.5));
        assert!(read(&vector("")).unwrap_err().contains("export"));
        assert!(
            read(&vector(&format!("{one},{one}")))
                .unwrap_err()
                .contains("sum()")
        );
        let nan = r#"{"metric":{},"value":[1,"NaN"]}"#;
        assert!(read(&vector(nan)).unwrap_err().contains("no number"));
        let refused = r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#;
        assert!(read(refused).unwrap_err().contains("parse error"));
    }
}
