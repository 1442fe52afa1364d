//! The services as child processes: started, watched, started again, ended.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use futures::future::select_all;
use hysio_control::supervise::{History, Next};
use hysio_infra::process::{Process, Program};
use hysio_model::ServiceName;
use tokio_util::sync::CancellationToken;

use crate::{config::Config, start::SUPERVISOR};

/// Loading the speech model is the longest.
const READY_WITHIN: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long a service may take to finish what it has begun.
pub const PATIENCE: Duration = Duration::from_secs(40);
/// Between two tries of a scaler that does not get well.
const SCALER_AGAIN: Duration = Duration::from_secs(60);
/// The engines end last, so that what others need is still there.
const ORDER_OF_ENDING: [ServiceName; 3] = [
    ServiceName::Scaler,
    ServiceName::Diagnosecode,
    ServiceName::Transcription,
];

pub struct Services(Vec<Service>);

struct Service {
    name: ServiceName,
    program: Program,
    process: Option<Process>,
    started: Instant,
    history: History,
    /// When it is to be started again.
    due: Option<Instant>,
}

pub fn start(config: &Config, file: Option<&Path>) -> anyhow::Result<Services> {
    let mut services = Vec::new();
    let mut names = vec![ServiceName::Transcription, ServiceName::Diagnosecode];
    if config.scaling.enabled {
        names.push(ServiceName::Scaler);
    }
    for name in names {
        let mut service = Service {
            name,
            program: program(name, config, file),
            process: None,
            started: Instant::now(),
            history: History::default(),
            due: None,
        };
        service.start()?;
        services.push(service);
    }
    Ok(Services(services))
}

pub fn program(name: ServiceName, config: &Config, file: Option<&Path>) -> Program {
    let mut arguments = vec![name.as_str().into()];
    if let Some(file) = file {
        arguments.extend(["--config".into(), file.into()]);
    }
    let supervisor = (SUPERVISOR.to_owned(), std::process::id().to_string().into());
    let url = config
        .database
        .url
        .as_ref()
        .map(|url| ("HYSIO__DATABASE__URL".to_owned(), url.expose().into()));
    // The services never get the owner's role.
    Program {
        name: name.as_str(),
        arguments,
        environment: url.into_iter().chain([supervisor]).collect(),
        without: vec!["HYSIO__DATABASE__OWNER_URL"],
    }
}

impl Services {
    /// Waits until the services answer that they can do their work.
    pub async fn wait_until_ready(&mut self, config: &Config) -> anyhow::Result<()> {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(2))
            .build()?;
        let deadline = Instant::now() + READY_WITHIN;
        for (name, address) in [
            (ServiceName::Diagnosecode, config.http.diagnosecode),
            (ServiceName::App, config.http.app),
            (ServiceName::Transcription, config.http.transcription),
        ] {
            let url = format!("http://{address}/ready");
            loop {
                if client
                    .get(&url)
                    .send()
                    .await
                    .is_ok_and(|answer| answer.status().is_success())
                {
                    break;
                }
                anyhow::ensure!(
                    Instant::now() < deadline,
                    "{name} is not ready after {} s: the reason is in the log above",
                    READY_WITHIN.as_secs()
                );
                tokio::select! {
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                    given_up = self.watch() => return given_up,
                }
            }
        }
        Ok(())
    }

    /// Starts again what ends by itself. Returns when one of them never gets well.
    pub async fn watch(&mut self) -> anyhow::Result<()> {
        loop {
            let waits = self.0.iter_mut().map(|service| Box::pin(service.wait()));
            let (ended, index, _) = select_all(waits).await;
            self.0[index].after(ended)?;
        }
    }

    pub async fn stop(mut self, hard: &CancellationToken) {
        for name in ORDER_OF_ENDING {
            let Some(service) = self.0.iter_mut().find(|service| service.name == name) else {
                continue;
            };
            let Some(process) = service.process.take() else {
                continue;
            };
            tokio::select! {
                ended = process.stop(PATIENCE) => match ended {
                    Ok(status) => tracing::info!(service = %name, %status, "ended"),
                    Err(error) => tracing::error!(service = %name, %error, "could not be ended"),
                },
                // Dropped with the future, and so killed.
                () = hard.cancelled() => tracing::warn!(service = %name, "cut off"),
            }
        }
    }
}

enum Waited {
    Ended(String),
    Due,
}

impl Service {
    fn start(&mut self) -> anyhow::Result<()> {
        self.process = Some(
            Process::start(&self.program)
                .with_context(|| format!("{} cannot be started", self.program.name))?,
        );
        (self.started, self.due) = (Instant::now(), None);
        Ok(())
    }

    /// Until the process has ended, or until it is time to start it again.
    async fn wait(&mut self) -> Waited {
        match (&mut self.process, self.due) {
            (Some(process), _) => match process.ended().await {
                Ok(status) => Waited::Ended(status.to_string()),
                Err(error) => Waited::Ended(error.to_string()),
            },
            (None, Some(due)) => {
                tokio::time::sleep_until(due.into()).await;
                Waited::Due
            }
            (None, None) => std::future::pending().await,
        }
    }

    fn after(&mut self, waited: Waited) -> anyhow::Result<()> {
        match waited {
            Waited::Due => self.start(),
            Waited::Ended(how) => {
                self.process = None;
                let (history, next) = self.history.ended(self.started.elapsed());
                // Care goes on without anybody who scales it.
                let next = match next {
                    Next::GiveUp if self.name == ServiceName::Scaler => {
                        Next::StartAfter(SCALER_AGAIN)
                    }
                    next => next,
                };
                self.history = history;
                match next {
                    Next::StartAfter(wait) => {
                        tracing::error!(
                            service = self.program.name,
                            how,
                            "ended by itself; it is started again"
                        );
                        self.due = Some(Instant::now() + wait);
                        Ok(())
                    }
                    Next::GiveUp => anyhow::bail!(
                        "{} ends again and again ({how}): the reason is in the log above",
                        self.program.name
                    ),
                }
            }
        }
    }
}
