//! A Prometheus server, asked for what is now. The form of its answers is that of its HTTP API, version 1.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
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
    #[error("Prometheus does not say which alerts fire: {why}")]
    NoAlerts { why: String },
}

/// An alert that fires, of whatever labels fired first.
#[derive(Clone, Debug, PartialEq)]
pub struct Firing {
    pub name: String,
    pub since: Timestamp,
    pub value: f64,
}

#[derive(Deserialize)]
struct Alerts {
    status: String,
    #[serde(default)]
    error: String,
    data: Option<AlertList>,
}

#[derive(Deserialize)]
struct AlertList {
    alerts: Vec<Alert>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    labels: BTreeMap<String, String>,
    state: String,
    active_at: Timestamp,
    value: String,
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
        let escaped: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let answer = self.get(&format!("query?query={escaped}")).await?;
        value(query, answer)
    }

    /// The alerts that fire now, by name.
    ///
    /// # Errors
    /// When it cannot be asked or does not answer in its own form.
    pub async fn firing(&self) -> Result<Vec<Firing>, Error> {
        firing(self.get("alerts").await?)
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        self.client
            .get(format!("{}/api/v1/{path}", self.base))
            .send()
            .await
            .map_err(|error| Error::Unreachable(error.without_url()))?
            .json()
            .await
            .map_err(|error| Error::Unreachable(error.without_url()))
    }
}

/// One of each name: the one that has fired longest.
fn firing(answer: Alerts) -> Result<Vec<Firing>, Error> {
    let list = answer.data.filter(|_| answer.status == "success");
    let list = list.ok_or(Error::NoAlerts { why: answer.error })?;
    let mut firing: BTreeMap<String, Firing> = BTreeMap::new();
    for alert in list.alerts {
        let Some(name) = alert.labels.get("alertname") else {
            continue;
        };
        let earlier = firing.get(name).map(|known| known.since);
        if alert.state != "firing" || earlier.is_some_and(|since| since <= alert.active_at) {
            continue;
        }
        let found = Firing {
            name: name.clone(),
            since: alert.active_at,
            value: alert.value.parse().unwrap_or(f64::NAN),
        };
        firing.insert(name.clone(), found);
    }
    Ok(firing.into_values().collect())
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

    #[test]
    fn of_alerts_only_those_that_fire_are_told_each_once_since_when_it_began() {
        let alert = |name: &str, state: &str, at: &str, value: &str| {
            format!(
                r#"{{"labels":{{"alertname":"{name}"}},"annotations":{{}},"state":"{state}","activeAt":"{at}","value":"{value}"}}"#
            )
        };
        let alerts = [
            alert(
                "HighPatientLoad",
                "firing",
                "2026-01-02T10:05:00.5Z",
                "1.2e+02",
            ),
            alert("HighPatientLoad", "firing", "2026-01-02T10:00:00Z", "9e+01"),
            alert(
                "TranscriptionBacklog",
                "pending",
                "2026-01-02T10:00:00Z",
                "60",
            ),
        ];
        let text = format!(
            r#"{{"status":"success","data":{{"alerts":[{}]}}}}"#,
            alerts.join(",")
        );
        let expected = Firing {
            name: "HighPatientLoad".to_owned(),
            since: "2026-01-02T10:00:00Z".parse().unwrap(),
            value: 90.0,
        };
        assert_eq!(
            firing(serde_json::from_str(&text).unwrap()).unwrap(),
            [expected]
        );
        let refused = r#"{"status":"error","errorType":"x","error":"not now"}"#;
        let error = firing(serde_json::from_str(refused).unwrap()).unwrap_err();
        assert!(error.to_string().contains("not now"), "{error}");
    }
}
