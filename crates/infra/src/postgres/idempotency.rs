//! Idempotency keys: stored in the transaction that creates, so that a repeated request finds what the first one made.

use hysio_model::id::UserId;

use super::{Error, Result, Tx};

/// What is known of a key.
#[derive(Debug, PartialEq, Eq)]
pub enum Earlier {
    /// Nothing: the request is the first with this key.
    Nothing,
    /// The same request has made this.
    Made(String),
    /// Another request used the key.
    Reused,
}

pub async fn find(tx: &Tx, user: UserId, key: &str, digest: &[u8]) -> Result<Earlier> {
    let sql =
        "SELECT request_digest, resource_id FROM idempotency_keys WHERE user_id = $1 AND key = $2";
    Ok(match tx.query_opt(sql, &[&user.0, &key]).await? {
        None => Earlier::Nothing,
        Some(row) if row.get::<_, &[u8]>(0) == digest => Earlier::Made(row.get(1)),
        Some(_) => Earlier::Reused,
    })
}

/// Remembers what was made. Two requests at once: the second waits for the first here, and is then refused by
/// [`is_race`], rolled back, and finds the first one's result when tried again.
pub async fn remember(
    tx: &Tx,
    user: UserId,
    key: &str,
    digest: &[u8],
    resource: &str,
) -> Result<()> {
    tx.execute(
        "INSERT INTO idempotency_keys (user_id, key, facility_id, request_digest, resource_id) VALUES ($1, $2, $3, $4, $5)",
        &[&user.0, &key, &tx.facility().0, &digest, &resource],
    )
    .await?;
    Ok(())
}

#[must_use]
pub fn is_race(error: &Error) -> bool {
    matches!(error, Error::Constraint { constraint } if constraint == "idempotency_keys_pkey")
}
