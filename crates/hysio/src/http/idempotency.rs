//! `Idempotency-Key`: a repeated request finds what the first one made; a changed one under the same key is refused.

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};
use hysio_infra::postgres::{
    self, Tx,
    idempotency::{self, Earlier},
};
use hysio_model::id::UserId;
use sha2::{Digest as _, Sha256};

use super::problem::{Problem, Result};

/// The key of a creating request, if it has one.
pub struct Key(Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for Key {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let Some(value) = parts.headers.get("idempotency-key") else {
            return Ok(Self(None));
        };
        let key = value.to_str().unwrap_or_default();
        if key.is_empty() || key.len() > 255 {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "invalid-idempotency-key",
                "Idempotency-Key must have 1 to 255 printable characters",
            ));
        }
        Ok(Self(Some(key.to_owned())))
    }
}

impl Key {
    /// For requests that must not be sent without one.
    pub fn required(self) -> Result<Self> {
        if self.0.is_some() {
            return Ok(self);
        }
        Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "idempotency-key-needed",
            "send an Idempotency-Key, so that a repeated upload is not taken twice",
        ))
    }

    /// What an earlier request with this key and `content` has made.
    pub async fn earlier(
        &self,
        tx: &Tx,
        user: UserId,
        content: &[&[u8]],
    ) -> Result<Option<String>> {
        let Some(key) = &self.0 else { return Ok(None) };
        match idempotency::find(tx, user, key, &digest(content)).await? {
            Earlier::Nothing => Ok(None),
            Earlier::Made(resource) => Ok(Some(resource)),
            Earlier::Reused => Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency-key-reused",
                "this Idempotency-Key was used for another request: use a new one",
            )),
        }
    }

    /// Remembers what was made, in the transaction that makes it.
    pub async fn remember(
        &self,
        tx: &Tx,
        user: UserId,
        content: &[&[u8]],
        resource: impl ToString,
    ) -> Result<()> {
        let Some(key) = &self.0 else { return Ok(()) };
        idempotency::remember(tx, user, key, &digest(content), &resource.to_string())
            .await
            .map_err(|error| {
                if idempotency::is_race(&error) {
                    return Problem::conflict(
                        "request-in-progress",
                        "the same request is being worked on: try again",
                    )
                    .retry_after(1);
                }
                postgres::Error::into(error)
            })
    }
}

/// Each part with its length before it, so that no two contents look the same.
fn digest(content: &[&[u8]]) -> Vec<u8> {
    let mut hash = Sha256::new();
    for part in content {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hash.finalize().to_vec()
}
