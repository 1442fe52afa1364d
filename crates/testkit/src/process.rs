//! A Hysio process as an operator has it: started from the built binary, killed or asked to stop.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

const POLL: Duration = Duration::from_millis(25);
/// One look at an endpoint may take this long.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

/// A running process. It is killed with this value.
#[derive(Debug)]
pub struct Hysio {
    child: Child,
    output: TempDir,
}

impl Hysio {
    /// Starts `binary` (for the tests of the `hysio` crate: `env!("CARGO_BIN_EXE_hysio")`) in `directory` with arguments and
    /// environment; what it writes is kept for [`Hysio::output`].
    ///
    /// # Errors
    /// When there is no such program.
    pub fn start<A, K, V>(
        binary: impl AsRef<Path>,
        directory: impl AsRef<Path>,
        arguments: impl IntoIterator<Item = A>,
        environment: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self>
    where
        A: AsRef<OsStr>,
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        let output = tempfile::tempdir()?;
        let file = File::create(output.path().join("output"))?;
        let mut command = Command::new(binary.as_ref());
        command
            .args(arguments)
            .envs(environment)
            .current_dir(directory);
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .kill_on_drop(true);
        let child = command
            .spawn()
            .with_context(|| format!("starting {}", binary.as_ref().display()))?;
        Ok(Self { child, output })
    }

    /// Waits until `GET path` at the address answers with 2xx.
    ///
    /// # Errors
    /// When it does not within `patience`, or the process ends first; the error carries what the process wrote.
    pub async fn ready(
        &mut self,
        address: SocketAddr,
        path: &str,
        patience: Duration,
    ) -> Result<()> {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                bail!("the process ended with {status}:\n{}", self.output());
            }
            if let Ok(Ok(200..300)) = timeout(LOOK_TIMEOUT, status_of(address, path)).await {
                return Ok(());
            }
            sleep(POLL).await;
        }
        bail!(
            "{address}{path} was not ready after {patience:?}:\n{}",
            self.output()
        )
    }

    /// Ends the process without a warning, as the kernel does when memory is short.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub async fn kill(&mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Asks the process to stop (SIGTERM) and waits for its end.
    ///
    /// # Errors
    /// When it is still there after `patience`; the error carries what the process wrote.
    pub async fn terminate(&mut self, patience: Duration) -> Result<ExitStatus> {
        self.signal(Signal::SIGTERM)?;
        self.wait(patience).await
    }

    /// Presses Ctrl-C and waits for the end.
    ///
    /// # Errors
    /// As for [`Hysio::terminate`].
    pub async fn interrupt(&mut self, patience: Duration) -> Result<ExitStatus> {
        self.signal(Signal::SIGINT)?;
        self.wait(patience).await
    }

    /// Waits until the process ends by itself.
    ///
    /// # Errors
    /// When it is still there after `patience`.
    pub async fn wait(&mut self, patience: Duration) -> Result<ExitStatus> {
        match timeout(patience, self.child.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => bail!(
                "the process still runs after {patience:?}:\n{}",
                self.output()
            ),
        }
    }

    /// All that the process wrote to standard output and standard error.
    #[must_use]
    pub fn output(&self) -> String {
        fs::read_to_string(self.output.path().join("output")).unwrap_or_default()
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let id = self.child.id().context("the process has ended already")?;
        kill(Pid::from_raw(id.cast_signed()), signal).context("signalling the process")
    }
}

/// A port that nobody uses right now, and that the operating system gives to nobody by itself: a connection from another test
/// cannot take it meanwhile.
///
/// # Errors
/// When the machine has none left.
pub fn free_port() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Below the ephemeral ports. Test binaries that run at the same time begin at different places.
    const PORTS: std::ops::Range<u16> = 12_000..32_000;
    let begin =
        u16::try_from(std::process::id().wrapping_mul(97) % u32::from(PORTS.end - PORTS.start))?;
    for _ in PORTS {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = PORTS.start + begin.wrapping_add(step) % (PORTS.end - PORTS.start);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port between {} and {} is free", PORTS.start, PORTS.end)
}

/// The status of a GET, with as little HTTP as that takes.
async fn status_of(address: SocketAddr, path: &str) -> Result<u16> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).await?;
    let head = std::str::from_utf8(&head)?;
    head.strip_prefix("HTTP/1.1 ")
        .context("no HTTP")?
        .parse()
        .context("no status")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: [(&str, &str); 0] = [];

    #[tokio::test]
    async fn a_process_that_ends_too_early_shows_what_it_said() {
        let mut process =
            Hysio::start("/bin/sh", "/", ["-c", "echo no key; exit 3"], NOTHING).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], free_port().unwrap()));
        let error = process
            .ready(address, "/ready", Duration::from_secs(10))
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("exit status: 3") && error.contains("no key"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_process_may_clean_up_when_asked_to_stop() {
        let script = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done";
        let mut process = Hysio::start("/bin/sh", "/", ["-c", script], NOTHING).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while !process.output().contains("up") && Instant::now() < deadline {
            sleep(POLL).await;
        }
        assert!(
            process
                .terminate(Duration::from_secs(10))
                .await
                .unwrap()
                .success()
        );
        assert_eq!(process.output(), "up\nbye\n");
    }
}
