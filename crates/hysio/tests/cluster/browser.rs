//! A clinician's program that speaks to the cluster as a browser does.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster::Cluster;

/// A clinician's program that speaks to the cluster as a browser does.
pub struct Browser {
    client: reqwest::Client,
    url: String,
    /// What the session is known by.
    cookie: String,
}

impl Browser {
    pub async fn sign_in(cluster: &Cluster, base_port: u16) -> Self {
        Self::sign_in_at(cluster, &format!("https://localhost:{base_port}")).await
    }

    /// Past NGINX, at an instance of its own.
    pub async fn sign_in_at(cluster: &Cluster, url: &str) -> Self {
        let folder = cluster.folder();
        let authority = std::fs::read(folder.join("etc/tls/ca.pem")).expect("an authority");
        let client = reqwest::Client::builder()
            .add_root_certificate(reqwest::Certificate::from_pem(&authority).expect("PEM"))
            .timeout(Duration::from_secs(30))
            .build()
            .expect("a client");
        let mut browser = Self {
            client,
            url: url.to_owned(),
            cookie: String::new(),
        };
        let people =
            std::fs::read_to_string(folder.join("data/hysio/first-sign-in.txt")).expect("people");
        let clinician = people
            .lines()
            .find(|line| line.starts_with("clinician"))
            .expect("a clinician");
        let words: Vec<_> = clinician.split('\t').collect();
        let me = json!({ "email": words[1], "password": words[2] });
        let request = browser.request("POST", "/api/session").json(&me);
        let answer = request.send().await.expect("answered");
        let (status, headers) = (answer.status(), answer.headers().clone());
        let said = answer.text().await.unwrap_or_default();
        assert!(status.is_success(), "{status}: {said}");
        let cookie = headers["set-cookie"].to_str().expect("ASCII");
        browser.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        browser
    }

    /// The same session at another address.
    pub fn elsewhere(&self, url: &str) -> Self {
        Self {
            client: self.client.clone(),
            url: url.to_owned(),
            cookie: self.cookie.clone(),
        }
    }

    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.client
            .request(
                method.parse().expect("a method"),
                format!("{}{path}", self.url),
            )
            .header("x-hysio-request", "1")
            .header("cookie", &self.cookie)
            .header("Idempotency-Key", uuid::Uuid::new_v4().to_string())
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Value {
        let answer = request.send().await.expect("answered");
        let status = answer.status();
        let body: Value = answer.json().await.expect("JSON");
        assert!(status.is_success(), "{status}: {body}");
        body
    }

    fn patient(&self, number: usize) -> reqwest::RequestBuilder {
        let patient = json!({
            "given_name": "Jan", "family_name": format!("Jansen{number}"), "birth_date": "1980-01-02", "sex": "male",
        });
        self.request("POST", "/api/patients").json(&patient)
    }

    /// How a write is answered now; none when it is not.
    pub async fn add_patient(&self) -> Option<reqwest::StatusCode> {
        Some(self.patient(0).send().await.ok()?.status())
    }

    /// How many there are.
    pub async fn patients(&self) -> usize {
        let listed = self
            .send(self.request("GET", "/api/patients?limit=200"))
            .await;
        let patients = listed["patients"].as_array();
        patients.unwrap_or_else(|| panic!("{listed}")).len()
    }

    /// An encounter with a dictation.
    pub async fn dictate(&self, number: usize, audio: &[u8]) -> String {
        let patient = self.send(self.patient(number)).await;
        // Whoever just added a patient sees them, wherever that is read.
        let path = format!("/api/patients/{}", patient["id"].as_str().expect("an id"));
        self.send(self.request("GET", &path)).await;
        let open = json!({ "patient_id": patient["id"], "language": "en" });
        let encounter = self
            .send(self.request("POST", "/api/encounters").json(&open))
            .await;
        let encounter = encounter["id"].as_str().expect("an id").to_owned();
        let file = reqwest::multipart::Part::bytes(audio.to_vec()).file_name("visit.opus");
        let form = reqwest::multipart::Form::new()
            .text("encounter_id", encounter.clone())
            .part("file", file);
        self.send(self.request("POST", "/api/transcription").multipart(form))
            .await;
        encounter
    }

    pub async fn drafted(&self, encounter: &str) -> Value {
        let deadline = Instant::now() + Duration::from_secs(180);
        loop {
            let found = self
                .send(self.request("GET", &format!("/api/encounters/{encounter}")))
                .await;
            if found["state"] == "drafted" {
                return found;
            }
            assert!(
                found["state"] != "failed" && Instant::now() < deadline,
                "{found}"
            );
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}
