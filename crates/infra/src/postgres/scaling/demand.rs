//! What was measured in the past, for planning: by the hour for years, finer for weeks.

use jiff::{SignedDuration, Timestamp};

use crate::postgres::{Database, Result};

/// Six winters: five years of growth from season to season.
const KEEP_HOURS: &str = "6 years";

impl Database {
    /// The mean of a series in steps since a moment, oldest first; a step in which nothing was measured is left out. Steps of an hour and
    /// longer go back for years, shorter ones as far as samples are kept.
    pub async fn demand(
        &self,
        series: &str,
        since: Timestamp,
        step: SignedDuration,
    ) -> Result<Vec<(Timestamp, f64)>> {
        let seconds = step.as_secs_f64();
        let of_hours = if seconds >= 3600.0 {
            "SELECT hour AS at, mean AS value, samples FROM scaling_hours WHERE series = $1 AND hour >= $2 UNION ALL "
        } else {
            ""
        };
        let since_hours = if seconds >= 3600.0 {
            "AND at >= coalesce((SELECT max(hour) + interval '1 hour' FROM scaling_hours WHERE series = $1), '-infinity')"
        } else {
            ""
        };
        let sql = format!(
            "SELECT date_bin(make_interval(secs => $3), at, $2) AS bin, sum(value * samples) / sum(samples)::float8
             FROM ({of_hours}SELECT at, value, 1 AS samples FROM scaling_samples WHERE series = $1 AND at >= $2 {since_hours}) AS measured
             GROUP BY 1 ORDER BY 1"
        );
        let tx = self.platform_tx().await?;
        let rows = tx.query(&sql, &[&series, &since, &seconds]).await?;
        tx.commit(&[]).await?;
        Ok(rows
            .iter()
            .map(|row| {
                let value: f64 = row.get(1);
                (row.get(0), value)
            })
            .collect())
    }

    /// Which series there are.
    pub async fn measured(&self) -> Result<Vec<String>> {
        let tx = self.platform_tx().await?;
        let sql =
            "SELECT series FROM scaling_samples UNION SELECT series FROM scaling_hours ORDER BY 1";
        let rows = tx.query(sql, &[]).await?;
        tx.commit(&[]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Puts whole hours that are over together, before their samples go.
    pub async fn put_hours_together(&self) -> Result<()> {
        let tx = self.platform_tx().await?;
        tx.execute(
            "INSERT INTO scaling_hours (series, hour, mean, most, samples)
             SELECT series, date_trunc('hour', at, 'UTC'), avg(value), max(value), count(*) FROM scaling_samples
             WHERE at < date_trunc('hour', now(), 'UTC') AND at >= coalesce((SELECT max(hour) + interval '1 hour' FROM scaling_hours), '-infinity')
             GROUP BY 1, 2 ON CONFLICT (series, hour) DO NOTHING",
            &[],
        )
        .await?;
        tx.execute(
            &format!("DELETE FROM scaling_hours WHERE hour < now() - interval '{KEEP_HOURS}'"),
            &[],
        )
        .await?;
        tx.commit(&[]).await
    }
}
