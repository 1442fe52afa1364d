//! How a process ends: the first signal asks it to finish what it is doing, the second makes it stop at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[derive(Clone, Default)]
pub struct Lifecycle {
    /// Take nothing new, finish what was begun.
    pub soft: CancellationToken,
    /// Stop now.
    pub hard: CancellationToken,
}

impl Lifecycle {
    /// Follows SIGTERM and SIGINT from now on.
    pub fn following_signals() -> anyhow::Result<Self> {
        let lifecycle = Self::default();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let follower = lifecycle.clone();
        tokio::spawn(async move {
            for token in [&follower.soft, &follower.hard] {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                token.cancel();
            }
        });
        Ok(lifecycle)
    }
}
