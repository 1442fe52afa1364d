//! A rate limit that all instances share (GCRA, as the one in process), kept in the queue's cluster. While Redis is away, each
//! instance counts by itself.

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use redis::Script;

use super::{Cluster, Result};
use crate::rate_limit::{Limit, LocalRateLimiter, RateLimiter, Refused};

/// Redis's own clock, so that instances whose clocks differ agree. Returns 0, or milliseconds to wait.
const GCRA: &str = "
    local clock = redis.call('TIME')
    local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
    local every, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
    local due = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
    local wait = due - now - every * (burst - 1)
    if wait > 0 then return wait end
    redis.call('SET', KEYS[1], due + every, 'PX', math.ceil(every * burst + 1000))
    return 0";

pub struct SharedRateLimiter {
    cluster: Cluster,
    /// What is limited: it keeps the counts of different limits apart.
    name: &'static str,
    limit: Limit,
    local: LocalRateLimiter,
    script: Script,
}

impl SharedRateLimiter {
    #[must_use]
    pub fn new(cluster: Cluster, name: &'static str, limit: Limit) -> Self {
        Self {
            cluster,
            name,
            limit,
            local: LocalRateLimiter::new(limit),
            script: Script::new(GCRA),
        }
    }

    /// Milliseconds to wait.
    async fn ask(&self, client: &str) -> Result<u64> {
        let mut connection = self.cluster.shared().await?;
        let milliseconds = u64::try_from(self.limit.every.as_millis()).unwrap_or(u64::MAX);
        let wait: i64 = self
            .script
            .key(self.key(client))
            .arg(milliseconds)
            .arg(self.limit.burst.get())
            .invoke_async(&mut connection)
            .await?;
        Ok(u64::try_from(wait).unwrap_or(0))
    }

    /// A hash: addresses and ids of people are nothing for Redis to hold.
    fn key(&self, client: &str) -> String {
        let digest = digest(&SHA256, format!("{}/{client}", self.name).as_bytes());
        format!("limit:{}:{}", self.name, hex::encode(digest))
    }
}

#[async_trait]
impl RateLimiter for SharedRateLimiter {
    async fn check(&self, client: &str) -> std::result::Result<(), Refused> {
        let wait = match self.ask(client).await {
            Ok(wait) => wait,
            Err(error) => {
                tracing::debug!(%error, "this instance counts requests by itself");
                return self.local.check(client).await;
            }
        };
        if wait == 0 {
            return Ok(());
        }
        Err(Refused {
            retry_after_seconds: wait.div_ceil(1_000).max(1),
        })
    }
}
