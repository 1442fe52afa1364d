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

use hysio_model::{audit::AuditEvent, id::FacilityId};
use serde::{Serialize, de::DeserializeOwned};
use tokio_postgres::Row;
use zeroize::Zeroizing;

use super::{
    Database, Error, Result, Vault, audit,
    connection::{Connection, Params, Ready},
    replica,
};
use crate::cipher::{CipherError, FacilityKeys, Place};

/// Rolled back unless [`Tx::commit`] is called.
pub struct Tx {
    client: Option<Connection>,
    facility: Option<FacilityId>,
    keys: Option<Arc<FacilityKeys>>,
    vault: Arc<Vault>,
    begun: AtomicBool,
    /// After an error the database takes nothing more, and would answer `COMMIT` with a rollback that looks like success.
    failed: AtomicBool,
    wrote: AtomicBool,
    /// Of a transaction on a replica: where its audit entries are written.
    primary: Option<Database>,
}

impl Tx {
    pub(super) fn new(
        client: Connection,
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
            wrote: AtomicBool::new(false),
            primary: None,
        }
    }

    /// A transaction that has begun on a replica, for reading alone.
    pub(super) fn on_replica(
        client: Connection,
        primary: Database,
        facility: FacilityId,
        keys: Arc<FacilityKeys>,
    ) -> Self {
        let vault = primary.vault().clone();
        let mut tx = Self::new(client, vault, Some((facility, keys)));
        tx.begun = AtomicBool::new(true);
        tx.primary = Some(primary);
        tx
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
        let sent = self.send_query(sql, params);
        let answer = match self.primary {
            Some(_) => replica::in_time(sent).await,
            None => sent.await,
        };
        self.noting_failure(answer)
    }

    async fn send_query(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>> {
        let client = self.client();
        let statement = self.prepare(sql).await?;
        if self.begun.swap(true, Ordering::Relaxed) {
            return Ok(client.send(&statement, params).await?);
        }
        // Sent in this order and answered in this order; an error in the first fails the second.
        let begin = self.begin_sql();
        let (begun, rows) = futures::join!(
            client.batch_execute(&begin),
            client.send(&statement, params)
        );
        begun?;
        Ok(rows?)
    }

    /// A pooler must be asked about a statement inside the transaction, if at all.
    async fn prepare(&self, sql: &str) -> Result<Ready> {
        // Who holds a row sees what others wrote to it a moment ago, and must see it again where they read next.
        if !sql.starts_with("SELECT") || sql.ends_with("FOR UPDATE") {
            self.wrote.store(true, Ordering::Relaxed);
        }
        let client = self.client();
        if !client.knows(sql) && !self.begun.swap(true, Ordering::Relaxed) {
            client.batch_execute(&self.begin_sql()).await?;
        }
        Ok(client.prepare(sql).await?)
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
        let statement = self.prepare(sql).await?;
        if self.begun.swap(true, Ordering::Relaxed) {
            return Ok(client.send_execute(&statement, params).await?);
        }
        let begin = self.begin_sql();
        let (begun, changed) = futures::join!(
            client.batch_execute(&begin),
            client.send_execute(&statement, params)
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
        if let Some(primary) = &self.primary {
            self.client().batch_execute("COMMIT").await?;
            self.begun.store(false, Ordering::Relaxed);
            // Nobody gets an answer before the trail tells of it.
            let entries = Self::new(primary.client().await?, self.vault.clone(), None);
            return entries.commit_here(events).await;
        }
        self.commit_here(events).await
    }

    async fn commit_here(self, events: &[AuditEvent]) -> Result<()> {
        let wrote = self.wrote.load(Ordering::Relaxed);
        let client = self.client();
        let columns = audit::Columns::from(events);
        if events.is_empty() {
            if self.begun.load(Ordering::Relaxed) {
                client.batch_execute("COMMIT").await?;
            }
        } else {
            let statement = self.prepare(audit::INSERT).await?;
            if !self.begun.swap(true, Ordering::Relaxed) {
                client.batch_execute(&self.begin_sql()).await?;
            }
            let params = columns.params();
            // If the entries are refused, COMMIT finds a failed transaction and rolls it back.
            let (entries, committed) = futures::join!(
                client.send_execute(&statement, &params),
                client.batch_execute("COMMIT")
            );
            entries.map(|_| ()).and(committed)?;
        }
        self.begun.store(false, Ordering::Relaxed);
        if wrote {
            replica::note_write(client).await;
        }
        Ok(())
    }

    fn client(&self) -> &Connection {
        self.client.as_ref().expect("taken only when dropped")
    }

    fn begin_sql(&self) -> String {
        begin_sql("BEGIN", self.facility)
    }
}

/// The facility is set for the transaction alone.
pub(super) fn begin_sql(begin: &str, facility: Option<FacilityId>) -> String {
    let facility = facility.map(|id| id.to_string()).unwrap_or_default();
    format!("{begin}; SELECT set_config('hysio.facility_id', '{facility}', true)")
}

impl Drop for Tx {
    /// An open transaction is rolled back before its connection goes back to the pool.
    fn drop(&mut self) {
        let Some(client) = self.client.take() else {
            return;
        };
        if self.primary.is_some() && *self.failed.get_mut() {
            // It may hang, and then it would never come back to the pool.
            client.discard();
        } else if mem::take(self.begun.get_mut()) {
            tokio::spawn(async move {
                if client.batch_execute("ROLLBACK").await.is_err() {
                    // A connection in an unknown state is closed and not used again.
                    client.discard();
                }
            });
        }
    }
}
