//! Headless Chromium, driven over WebDriver.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Nothing is fetched, updated or reported behind the test's back; root needs `--no-sandbox`.
const FLAGS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
];

/// What the page hears when it asks for the microphone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Microphone {
    /// There is none, and the page is refused.
    Absent,
    /// This WAV file (16 bit PCM), once; the page is allowed to listen.
    Plays(PathBuf),
}

/// A browser with a profile of its own. Call [`Browser::close`]; a value that is merely dropped kills it.
#[derive(Debug)]
pub struct Browser {
    page: Client,
    driver: Child,
    _profile: TempDir,
}

impl Browser {
    /// # Errors
    /// When Chromium or its driver is not installed (`./hysio install tests`), or does not start.
    pub async fn start(microphone: Microphone) -> Result<Self> {
        let profile = TempDir::with_prefix("hysio-browser-")?;
        let (driver, port) = timeout(START_TIMEOUT, start_driver())
            .await
            .context("chromedriver did not start in time")??;
        let capabilities = capabilities(profile.path(), &microphone);
        let Value::Object(capabilities) = capabilities else {
            unreachable!("it is written as an object")
        };
        let connecting = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await;
        let page =
            connecting.context("chromium did not start: is the package `chromium` installed?")?;
        Ok(Self {
            page,
            driver,
            _profile: profile,
        })
    }

    /// The open page: go to an address, find and click, run a script.
    #[must_use]
    pub fn page(&self) -> &Client {
        &self.page
    }

    /// Writes what the page shows as PNG.
    ///
    /// # Errors
    /// When the browser is gone or the file can't be written.
    pub async fn screenshot(&self, file: impl AsRef<Path>) -> Result<()> {
        let image = self.page.screenshot().await?;
        tokio::fs::write(file.as_ref(), image)
            .await
            .with_context(|| format!("writing {}", file.as_ref().display()))
    }

    /// Ends the browser in good order.
    ///
    /// # Errors
    /// When it is gone already.
    pub async fn close(mut self) -> Result<()> {
        self.page.clone().close().await?;
        Ok(self.driver.kill().await?)
    }
}

/// Starts the driver on a port that it picks itself and says.
async fn start_driver() -> Result<(Child, u16)> {
    let mut command = Command::new("chromedriver");
    command
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let mut driver = command
        .spawn()
        .context("starting chromedriver: run `./hysio install tests`")?;
    let stdout = driver.stdout.take().context("chromedriver has no output")?;
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = lines.next_line().await? {
        if let Some((_, port)) = line.split_once("successfully on port ") {
            let port = port
                .trim_end_matches('.')
                .parse()
                .context("chromedriver's port")?;
            // Whoever stops reading makes the writer fail: read on to the end.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Ok((driver, port));
        }
    }
    anyhow::bail!("chromedriver ended before it was ready")
}

fn capabilities(profile: &Path, microphone: &Microphone) -> Value {
    let mut arguments: Vec<String> = FLAGS.map(str::to_owned).to_vec();
    arguments.push(format!("--user-data-dir={}", profile.display()));
    if let Microphone::Plays(file) = microphone {
        arguments.push("--use-fake-ui-for-media-stream".to_owned());
        arguments.push("--use-fake-device-for-media-stream".to_owned());
        arguments.push(format!(
            "--use-file-for-fake-audio-capture={}%noloop",
            file.display()
        ));
    }
    json!({ "browserName": "chrome", "goog:chromeOptions": { "args": arguments } })
}
