//! A transaction for one facility.
//!
//! `BEGIN` and the facility travel with the first query, and the audit entries with `COMMIT`, so that a read costs two
//! round trips and not five. The facility is set for the transaction alone: a session-wide setting would leak to the next
//! client of the same pooled connection.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use deadpool_postgres::Object;
use hysio_model::{audit::AuditEvent, id::FacilityId};
use postgres_types::ToSql;
use serde::{Serialize, de::DeserializeOwned};
use tokio_postgres::Row;
use zeroize::Zeroizing;

use super::{Error, Result, Vault, audit};
use crate::cipher::{CipherError, FacilityKeys, Place};

type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// Rolled back unless [`Tx::commit`] is called.
pub struct Tx {
    client: Option<Object>,
    facility: Option<FacilityId>,
    keys: Option<Arc<FacilityKeys>>,
    vault: Arc<Vault>,
    begun: AtomicBool,
    /// After an error the database takes nothing more, and would answer `COMMIT` with a rollback that looks like success.
    failed: AtomicBool,
}

impl Tx {
    pub(super) fn new(
        client: Object,
        vault: Arc<Vault>,
        acting_for: Option<(FacilityId, Arc<FacilityKeys>)>,
    ) -> Self {
        let (facility, keys) = acting_for.unzip();
        Self {
            client: Some(client),
            facility,
            keys,
            vault,
            begun: AtomicBool::new(false),
            failed: AtomicBool::new(false),
        }
    }

    /// The facility this transaction acts for.
    ///
    /// # Panics
    /// In a platform transaction, where no facility's data may be touched.
    #[must_use]
    pub fn facility(&self) -> FacilityId {
        self.facility
            .expect("patient data is only touched in a facility's transaction")
    }

    /// The keys of that facility.
    ///
    /// # Panics
    /// As [`Tx::facility`].
    #[must_use]
    pub fn keys(&self) -> &FacilityKeys {
        self.keys
            .as_ref()
            .expect("patient data is only touched in a facility's transaction")
    }

    /// The same keys, for what is done after the transaction: sealing and opening audio.
    ///
    /// # Panics
    /// As [`Tx::facility`].
    #[must_use]
    pub fn shared_keys(&self) -> Arc<FacilityKeys> {
        self.keys
            .clone()
            .expect("patient data is only touched in a facility's transaction")
    }

    /// A value, sealed for a `BYTEA` column.
    pub(super) fn seal<T: Serialize>(&self, place: &Place, value: &T) -> Result<Vec<u8>> {
        let plain = serde_json::to_vec(value)
            .map_err(|_| Error::corrupt(place.table, place.column, &place.row))?;
        Ok(self.keys().seal(place, &Zeroizing::new(plain)))
    }

    /// What [`Tx::seal`] sealed for the same place.
    pub(super) fn open<T: DeserializeOwned>(&self, place: &Place, stored: &[u8]) -> Result<T> {
        let plain = self
            .keys()
            .open(place, stored)
            .map_err(|error| self.opening_failed(error))?;
        serde_json::from_slice(plain.expose())
            .map_err(|_| Error::corrupt(place.table, place.column, &place.row))
    }

    /// What `FacilityKeys::seal_json` sealed for a `JSONB` column.
    pub(super) fn open_document<T: DeserializeOwned>(
        &self,
        place: &Place,
        stored: &serde_json::Value,
    ) -> Result<T> {
        self.keys()
            .open_json(place, stored)
            .map_err(|error| self.opening_failed(error))
    }

    /// A value may be sealed with a key that was made after this process read its keys: the next use reads them again.
    pub(super) fn opening_failed(&self, error: CipherError) -> Error {
        if matches!(error, CipherError::UnknownKey { .. }) {
            self.vault.forget(self.facility());
            return Error::Unavailable(Box::new(error));
        }
        error.into()
    }

    pub(in crate::postgres) async fn query(
        &self,
        sql: &str,
        params: Params<'_>,
    ) -> Result<Vec<Row>> {
        self.noting_failure(self.send_query(sql, params).await)
    }

    async fn send_query(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>> {
        let client = self.client();
        let statement = client.prepare_cached(sql).await?;
        if self.begun.swap(true, Ordering::Relaxed) {
            return Ok(client.query(&statement, params).await?);
        }
        // Sent in this order and answered in this order; an error in the first fails the second.
        let begin = self.begin_sql();
        let (begun, rows) = futures::join!(
            client.batch_execute(&begin),
            client.query(&statement, params)
        );
        begun?;
        Ok(rows?)
    }

    pub(in crate::postgres) async fn query_opt(
        &self,
        sql: &str,
        params: Params<'_>,
    ) -> Result<Option<Row>> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    /// Exactly one row, as an `INSERT … RETURNING` or a function call gives.
    pub(in crate::postgres) async fn query_one(
        &self,
        sql: &str,
        params: Params<'_>,
    ) -> Result<Row> {
        self.query_opt(sql, params)
            .await?
            .ok_or_else(|| Error::Query("a row was expected and none came".into()))
    }

    /// The number of rows that changed.
    pub(in crate::postgres) async fn execute(&self, sql: &str, params: Params<'_>) -> Result<u64> {
        self.noting_failure(self.send_execute(sql, params).await)
    }

    fn noting_failure<T>(&self, result: Result<T>) -> Result<T> {
        self.failed.fetch_or(result.is_err(), Ordering::Relaxed);
        result
    }

    async fn send_execute(&self, sql: &str, params: Params<'_>) -> Result<u64> {
        let client = self.client();
        let statement = client.prepare_cached(sql).await?;
        if self.begun.swap(true, Ordering::Relaxed) {
            return Ok(client.execute(&statement, params).await?);
        }
        let begin = self.begin_sql();
        let (begun, changed) = futures::join!(
            client.batch_execute(&begin),
            client.execute(&statement, params)
        );
        begun?;
        Ok(changed?)
    }

    /// Commits what was done together with its audit entries: both are there afterwards, or neither.
    pub async fn commit(self, events: &[AuditEvent]) -> Result<()> {
        if self.failed.load(Ordering::Relaxed) {
            return Err(Error::Query(
                "a statement of the transaction failed, so nothing was committed".into(),
            ));
        }
        let client = self.client();
        let columns = audit::Columns::from(events);
        let written = if events.is_empty() {
            if self.begun.load(Ordering::Relaxed) {
                client.batch_execute("COMMIT").await
            } else {
                Ok(())
            }
        } else {
            let statement = client.prepare_cached(audit::INSERT).await?;
            if !self.begun.swap(true, Ordering::Relaxed) {
                client.batch_execute(&self.begin_sql()).await?;
            }
            let params = columns.params();
            // If the entries are refused, COMMIT finds a failed transaction and rolls it back.
            let (entries, committed) = futures::join!(
                client.execute(&statement, &params),
                client.batch_execute("COMMIT")
            );
            entries.map(|_| ()).and(committed)
        };
        written?;
        self.begun.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn client(&self) -> &Object {
        self.client.as_ref().expect("taken only when dropped")
    }

    fn begin_sql(&self) -> String {
        let facility = self.facility.map(|id| id.to_string()).unwrap_or_default();
        format!("BEGIN; SELECT set_config('hysio.facility_id', '{facility}', true)")
    }
}

impl Drop for Tx {
    /// An open transaction is rolled back before its connection goes back to the pool.
    fn drop(&mut self) {
        let Some(client) = self.client.take() else {
            return;
        };
        if mem::take(self.begun.get_mut()) {
            tokio::spawn(async move {
                if client.batch_execute("ROLLBACK").await.is_err() {
                    // A connection in an unknown state is closed and not used again.
                    drop(Object::take(client));
                }
            });
        }
    }
}
