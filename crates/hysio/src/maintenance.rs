//! What has to be done from time to time, by whichever instance comes first: put the audit trail in order, take back jobs
//! of workers that died, forget what is over.

use std::{sync::Arc, time::Duration};

use futures::StreamExt as _;
use hysio_infra::{
    audit::SigningKeys,
    blobs::Blobs,
    postgres::{Database, encounters},
};
use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

const SEQUENCE_EVERY: Duration = Duration::from_millis(500);
const SWEEP_EVERY: Duration = Duration::from_secs(5);
const TIDY_EVERY: Duration = Duration::from_secs(3_600);
/// Audio without a recording is an upload that was cut off; a slow one may still be under way.
const ORPHAN_AFTER: Duration = Duration::from_secs(24 * 3_600);

/// Goes on until `stop`; the trail is put in order once more then.
pub async fn run(
    db: Database,
    keys: Option<Arc<SigningKeys>>,
    blobs: Option<Blobs>,
    stop: CancellationToken,
) {
    let mut sequence = interval(SEQUENCE_EVERY);
    let mut sweep = interval(SWEEP_EVERY);
    let mut tidy = interval(TIDY_EVERY);
    for timer in [&mut sequence, &mut sweep, &mut tidy] {
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    }
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = sequence.tick() => sequence_trail(&db, keys.as_deref()).await,
            _ = sweep.tick() => match db.sweep_jobs().await {
                Ok(0) => {}
                Ok(jobs) => tracing::warn!(jobs, "jobs of workers that stopped answering were taken back"),
                Err(error) => tracing::warn!(error = crate::telemetry::chain(&error), "jobs could not be swept"),
            },
            _ = tidy.tick() => tidy_up(&db, blobs.as_ref()).await,
        }
    }
    sequence_trail(&db, keys.as_deref()).await;
}

async fn sequence_trail(db: &Database, keys: Option<&SigningKeys>) {
    let Some(keys) = keys else { return };
    loop {
        match db.sequence_audit(keys).await {
            Ok(0) => return,
            Ok(entries) => tracing::debug!(entries, "the audit trail was signed"),
            Err(error) => {
                tracing::warn!(
                    error = crate::telemetry::chain(&error),
                    "the audit trail could not be put in order"
                );
                return;
            }
        }
    }
}

async fn tidy_up(db: &Database, blobs: Option<&Blobs>) {
    if let Err(error) = db.sweep_sessions().await {
        tracing::warn!(
            error = crate::telemetry::chain(&error),
            "sessions could not be tidied up"
        );
    }
    if let Some(blobs) = blobs
        && let Err(error) = sweep_orphans(db, blobs).await
    {
        tracing::warn!(error = %error, "abandoned uploads could not be tidied up");
    }
}

/// Deletes audio that no recording refers to: its upload was never accepted.
async fn sweep_orphans(db: &Database, blobs: &Blobs) -> anyhow::Result<()> {
    let mut all = blobs.list();
    while let Some(info) = all.next().await {
        let info = info?;
        let age = Timestamp::now().duration_since(info.modified);
        if age.unsigned_abs() < ORPHAN_AFTER {
            continue;
        }
        let tx = db.tx(info.key.facility).await?;
        if encounters::recording(&tx, info.key.recording)
            .await?
            .is_none()
        {
            blobs.delete(info.key).await?;
            tracing::info!(recording = %info.key.recording, "an abandoned upload was deleted");
        }
    }
    Ok(())
}
