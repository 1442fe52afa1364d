//! The medical cache: what was read from the database and is read again soon. A small layer in this process, Redis behind it.
//!
//! Keys are HMACs under the facility's own index key, so that they tell of no patient. Values are sealed with the facility's
//! data key, in Redis as well as in memory, and bound to facility and key: a value that was moved opens nowhere.
//!
//! Whoever asks names the moment of the newest change in the key, which the database tells in any case. So a write leaves what
//! was cached before it behind, in all instances at once and whether or not anybody can be told; there is nothing to invalidate.

use std::{sync::Arc, time::Duration};

use moka::{Expiry, future::Cache};
use redis::AsyncCommands as _;
use serde::{Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use super::{Node, Result};
use crate::cipher::{FacilityKeys, Place};

/// What is cached, each with its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The codes suggested for an encounter, and what became of them.
    DiagnosisCodes,
    /// The newest transcript of an encounter.
    Transcription,
}

impl Kind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DiagnosisCodes => "diagnosis_codes",
            Self::Transcription => "transcription",
        }
    }

    /// How long a value is kept.
    #[must_use]
    pub fn time_to_live(self) -> Duration {
        Duration::from_secs(match self {
            Self::DiagnosisCodes => 3_600,
            Self::Transcription => 1_800,
        })
    }
}

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    Here,
    Redis,
    Nowhere,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    text: String,
}

impl Key {
    /// `id` names the thing and its newest change. The facility's index key makes the key different for each facility.
    #[must_use]
    pub fn of(kind: Kind, keys: &FacilityKeys, id: &str) -> Self {
        let field = format!("cache/{}", kind.as_str());
        let tag = hex::encode(keys.index().exact(&field, id));
        Self {
            text: format!("hysio:{}:{tag}", kind.as_str()),
        }
    }

    /// As far as an audit entry tells it.
    #[must_use]
    pub fn partial(&self) -> String {
        let (kind, tag) = self.text.rsplit_once(':').unwrap_or_default();
        format!("{kind}:{}…", tag.get(..8).unwrap_or_default())
    }
}

#[derive(Clone)]
struct Stored {
    sealed: Arc<[u8]>,
    kind: Kind,
}

struct ByKind;

impl Expiry<String, Stored> for ByKind {
    fn expire_after_create(
        &self,
        _: &String,
        value: &Stored,
        _: std::time::Instant,
    ) -> Option<Duration> {
        Some(value.kind.time_to_live())
    }
}

/// Cheap to clone.
#[derive(Clone)]
pub struct MedicalCache {
    here: Cache<String, Stored>,
    redis: Option<Node>,
}

/// Why there is nothing to keep; the reason itself stays with whoever loaded.
#[derive(Debug)]
struct Nothing;

impl MedicalCache {
    #[must_use]
    pub fn new(megabytes: u64, redis: Option<Node>) -> Self {
        let here = Cache::builder()
            .max_capacity(megabytes.saturating_mul(1 << 20))
            .weigher(|key: &String, value: &Stored| {
                u32::try_from(key.len() + value.sealed.len() + 64).unwrap_or(u32::MAX)
            })
            .expire_after(ByKind)
            .build();
        Self { here, redis }
    }

    /// The value, from wherever it is nearest; `load` reads it from the database if it is nowhere. Of many in this process who
    /// ask at once one loads, and the others wait for it. None when there is none, which is not cached.
    ///
    /// # Errors
    /// Those of `load`. A cache that is away is no error.
    pub async fn get<T, E>(
        &self,
        kind: Kind,
        key: &Key,
        keys: &FacilityKeys,
        load: impl Future<Output = std::result::Result<Option<T>, E>>,
    ) -> std::result::Result<(Option<T>, Found), E>
    where
        T: Serialize + DeserializeOwned,
    {
        let mut load = Some(load);
        let mut found = Found::Here;
        // What this very call has read: it need not be opened again.
        let mut read: Option<std::result::Result<Option<T>, E>> = None;
        let filling = async {
            if let Some(sealed) = self.fetch(key).await
                && let Some(value) = open(keys, kind, key, &sealed)
            {
                (found, read) = (Found::Redis, Some(Ok(Some(value))));
                return Ok(Stored { sealed, kind });
            }
            found = Found::Nowhere;
            let loaded = match load.take() {
                Some(load) => load.await,
                None => return Err(Nothing),
            };
            let sealed = match &loaded {
                Ok(Some(value)) => seal(keys, kind, key, value),
                Ok(None) | Err(_) => None,
            };
            read = Some(loaded);
            let sealed = sealed.ok_or(Nothing)?;
            self.fill(kind, key, &sealed).await;
            Ok(Stored { sealed, kind })
        };
        let stored = self.here.try_get_with_by_ref(&key.text, filling).await;
        if let Some(read) = read {
            return read.map(|value| (value, found));
        }
        if let Ok(stored) = stored
            && let Some(value) = open(keys, kind, key, &stored.sealed)
        {
            return Ok((Some(value), Found::Here));
        }
        // Whoever loaded for all found nothing or failed: everybody sees for himself.
        match load {
            Some(load) => Ok((load.await?, Found::Nowhere)),
            None => Ok((None, Found::Nowhere)),
        }
    }

    async fn fetch(&self, key: &Key) -> Option<Arc<[u8]>> {
        let mut connection = self.redis.as_ref()?.shared().await.ok()?;
        let sealed: Option<Vec<u8>> = connection.get(&key.text).await.ok()?;
        sealed.map(Into::into)
    }

    async fn fill(&self, kind: Kind, key: &Key, sealed: &[u8]) {
        let Some(redis) = &self.redis else { return };
        if let Err(error) = store(redis, kind, key, sealed).await {
            tracing::debug!(%error, "the cache in Redis was not filled");
        }
    }
}

async fn store(redis: &Node, kind: Kind, key: &Key, sealed: &[u8]) -> Result<()> {
    let mut connection = redis.shared().await?;
    let seconds = kind.time_to_live().as_secs();
    connection
        .set_ex::<_, _, ()>(&key.text, sealed, seconds)
        .await?;
    Ok(())
}

fn place(kind: Kind, key: &Key) -> Place {
    Place::new("cache", kind.as_str(), &key.text)
}

fn seal<T: Serialize>(keys: &FacilityKeys, kind: Kind, key: &Key, value: &T) -> Option<Arc<[u8]>> {
    let plain = Zeroizing::new(serde_json::to_vec(value).ok()?);
    Some(keys.seal(&place(kind, key), &plain).into())
}

/// None also for what was changed, moved, or sealed with a key that is no longer there.
fn open<T: DeserializeOwned>(
    keys: &FacilityKeys,
    kind: Kind,
    key: &Key,
    sealed: &[u8],
) -> Option<T> {
    let plain = keys.open(&place(kind, key), sealed).ok()?;
    serde_json::from_slice(plain.expose()).ok()
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        sync::atomic::{AtomicU32, Ordering},
    };

    use hysio_model::id::FacilityId;

    use super::*;
    use crate::cipher::{DataKey, IndexRoot};

    fn keys(facility: i32, root: &IndexRoot) -> FacilityKeys {
        let facility = FacilityId(facility);
        let key = DataKey::generate(facility, 1);
        FacilityKeys::new(facility, vec![key], root.for_facility(facility)).unwrap()
    }

    #[expect(clippy::unused_async, reason = "what loads is awaited")]
    async fn text(value: &str) -> std::result::Result<Option<String>, Infallible> {
        Ok(Some(value.to_owned()))
    }

    #[tokio::test]
    async fn of_many_who_ask_at_once_one_loads() {
        let (cache, keys) = (MedicalCache::new(8, None), keys(1, &IndexRoot::generate()));
        let key = Key::of(Kind::Transcription, &keys, "e/1");
        let loads = AtomicU32::new(0);
        let ask = || async {
            let load = async {
                loads.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                text("heard").await
            };
            cache.get(Kind::Transcription, &key, &keys, load).await
        };
        let answers = futures::future::join_all((0..50).map(|_| ask())).await;
        assert_eq!(loads.load(Ordering::Relaxed), 1);
        assert!(
            answers
                .iter()
                .all(|answer| answer.as_ref().unwrap().0.as_deref() == Some("heard"))
        );
    }

    #[tokio::test]
    async fn what_a_write_has_left_behind_is_not_found_again() {
        let (cache, keys) = (MedicalCache::new(8, None), keys(1, &IndexRoot::generate()));
        let old = Key::of(Kind::DiagnosisCodes, &keys, "e/1");
        let new = Key::of(Kind::DiagnosisCodes, &keys, "e/2");
        cache
            .get(Kind::DiagnosisCodes, &old, &keys, text("before"))
            .await
            .unwrap();
        let read = cache
            .get(Kind::DiagnosisCodes, &new, &keys, text("after"))
            .await
            .unwrap();
        assert_eq!(read, (Some("after".to_owned()), Found::Nowhere));
    }

    #[tokio::test]
    async fn nothing_is_remembered_of_what_was_not_there_or_failed() {
        let (cache, keys) = (MedicalCache::new(8, None), keys(1, &IndexRoot::generate()));
        let key = Key::of(Kind::Transcription, &keys, "e/1");
        let none = async { Ok::<Option<String>, &str>(None) };
        assert_eq!(
            cache.get(Kind::Transcription, &key, &keys, none).await,
            Ok((None, Found::Nowhere))
        );
        let failed = async { Err::<Option<String>, &str>("away") };
        assert_eq!(
            cache.get(Kind::Transcription, &key, &keys, failed).await,
            Err("away")
        );
        let there = async { Ok::<_, &str>(Some("heard".to_owned())) };
        assert_eq!(
            cache.get(Kind::Transcription, &key, &keys, there).await,
            Ok((Some("heard".to_owned()), Found::Nowhere))
        );
    }

    #[test]
    fn a_value_opens_under_its_own_key_and_facility_alone() {
        let root = IndexRoot::generate();
        let (mine, theirs) = (keys(1, &root), keys(2, &root));
        let key = Key::of(Kind::Transcription, &mine, "e/1");
        assert_ne!(key, Key::of(Kind::Transcription, &theirs, "e/1"));
        assert_ne!(key, Key::of(Kind::DiagnosisCodes, &mine, "e/1"));
        let sealed = seal(&mine, Kind::Transcription, &key, &"heard").unwrap();
        assert_eq!(
            open::<String>(&mine, Kind::Transcription, &key, &sealed).as_deref(),
            Some("heard")
        );
        let moved = Key::of(Kind::Transcription, &mine, "e/2");
        assert_eq!(
            open::<String>(&mine, Kind::Transcription, &moved, &sealed),
            None
        );
        assert_eq!(
            open::<String>(&theirs, Kind::Transcription, &key, &sealed),
            None
        );
        assert!(!sealed.windows(5).any(|part| part == b"heard"));
    }
}
