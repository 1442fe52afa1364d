//! The leader's lease: one scaler decides at a time. Correctness does not rest on it, only quiet.

use std::time::Duration;

use crate::postgres::{Database, Result};

impl Database {
    /// Takes or renews the lease. False while another holds it.
    pub async fn hold_lease(&self, name: &str, holder: &str, ttl: Duration) -> Result<bool> {
        let tx = self.platform_tx().await?;
        let held = tx
            .execute(
                "INSERT INTO leases (name, holder, expires_at) VALUES ($1, $2, now() + make_interval(secs => $3))
                 ON CONFLICT (name) DO UPDATE SET holder = $2, expires_at = now() + make_interval(secs => $3)
                 WHERE leases.holder = $2 OR leases.expires_at < now()",
                &[&name, &holder, &ttl.as_secs_f64()],
            )
            .await?;
        tx.commit(&[]).await?;
        Ok(held == 1)
    }

    /// Gives the lease up, so that another can take it at once.
    pub async fn give_up_lease(&self, name: &str, holder: &str) -> Result<()> {
        let tx = self.platform_tx().await?;
        tx.execute(
            "UPDATE leases SET expires_at = now() WHERE name = $1 AND holder = $2",
            &[&name, &holder],
        )
        .await?;
        tx.commit(&[]).await
    }

    /// Who holds it now.
    pub async fn lease_holder(&self, name: &str) -> Result<Option<String>> {
        let tx = self.platform_tx().await?;
        let row = tx
            .query_opt(
                "SELECT holder FROM leases WHERE name = $1 AND expires_at > now()",
                &[&name],
            )
            .await?;
        tx.commit(&[]).await?;
        Ok(row.map(|row| row.get(0)))
    }
}
