//! What each resource is to have, and what it has.

use std::time::Duration;

use async_trait::async_trait;
use hysio_control::ports::{Away, Observed, Set, Targets};
use hysio_scaling::Resource;

use crate::postgres::{Database, Error, Result};

/// An instance that was not heard of for longer does not count.
pub const SILENT_AFTER: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    pub resource: Resource,
    pub desired: i32,
    pub generation: i64,
}

#[async_trait]
impl Targets for Database {
    async fn observe(&self, resource: Resource) -> std::result::Result<Observed, Away> {
        Ok(self.observe_target(resource).await?)
    }

    async fn set(
        &self,
        resource: Resource,
        count: i32,
        generation: i64,
    ) -> std::result::Result<Set, Away> {
        Ok(self.set_target(resource, count, generation).await?)
    }
}

impl Database {
    /// Makes a target known with the count that it has at first. One that is known stays as it is.
    pub async fn found_target(&self, resource: Resource, count: i32) -> Result<()> {
        let tx = self.platform_tx().await?;
        tx.execute(
            "INSERT INTO scaling_targets (resource, desired) VALUES ($1, $2) ON CONFLICT (resource) DO NOTHING",
            &[&resource.as_str(), &count],
        )
        .await?;
        tx.commit(&[]).await
    }

    pub async fn targets(&self) -> Result<Vec<Target>> {
        let tx = self.platform_tx().await?;
        let rows = tx
            .query(
                "SELECT resource, desired, generation FROM scaling_targets ORDER BY resource",
                &[],
            )
            .await?;
        tx.commit(&[]).await?;
        rows.iter()
            .map(|row| {
                let name: &str = row.get(0);
                Ok(Target {
                    resource: name
                        .parse()
                        .map_err(|_| Error::corrupt("scaling_targets", "resource", name))?,
                    desired: row.get(1),
                    generation: row.get(2),
                })
            })
            .collect()
    }

    async fn observe_target(&self, resource: Resource) -> Result<Observed> {
        let tx = self.platform_tx().await?;
        let silent = SILENT_AFTER.as_secs_f64();
        let sql = if resource == Resource::DbConnections {
            // Each process holds its share; the count is there when all of them have taken theirs of this generation.
            "SELECT t.desired, t.generation, s.agreed, s.agreed FROM scaling_targets t,
                LATERAL (SELECT CASE WHEN count(*) > 0 AND bool_and(i.pool_generation >= t.generation) THEN t.desired ELSE -1 END AS agreed
                         FROM instances i WHERE i.pool_size IS NOT NULL AND NOT i.leaving
                           AND i.seen_at > now() - make_interval(secs => $2)) s
             WHERE t.resource = $1"
        } else {
            "SELECT t.desired, t.generation, s.running, s.ready FROM scaling_targets t,
                LATERAL (SELECT count(*)::integer AS running, count(i.ready_at)::integer AS ready FROM instances i
                         WHERE i.resource = t.resource AND NOT i.leaving AND i.seen_at > now() - make_interval(secs => $2)) s
             WHERE t.resource = $1"
        };
        let row = tx.query_opt(sql, &[&resource.as_str(), &silent]).await?;
        tx.commit(&[]).await?;
        let row = row.ok_or_else(|| unknown(resource))?;
        Ok(Observed {
            desired: row.get(0),
            generation: row.get(1),
            running: row.get(2),
            ready: row.get(3),
        })
    }

    /// One statement, so that of two who set at once the newer generation stays.
    async fn set_target(&self, resource: Resource, count: i32, generation: i64) -> Result<Set> {
        let tx = self.platform_tx().await?;
        let set = tx
            .execute(
                "UPDATE scaling_targets SET desired = $2, generation = $3, set_at = now() WHERE resource = $1 AND generation <= $3",
                &[&resource.as_str(), &count, &generation],
            )
            .await?;
        if set == 1 {
            tx.query(
                "SELECT pg_notify('hysio_scaling', $1)",
                &[&resource.as_str()],
            )
            .await?;
            tx.commit(&[]).await?;
            return Ok(Set::Done);
        }
        let newer = tx
            .query_opt(
                "SELECT generation FROM scaling_targets WHERE resource = $1",
                &[&resource.as_str()],
            )
            .await?;
        tx.commit(&[]).await?;
        let by = newer.ok_or_else(|| unknown(resource))?.get(0);
        Ok(Set::Superseded { by })
    }
}

fn unknown(resource: Resource) -> Error {
    Error::Settings(format!(
        "{resource} is not scaled here: no `hysio up` with scaling on has founded it"
    ))
}
