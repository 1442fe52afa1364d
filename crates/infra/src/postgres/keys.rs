//! The keys of each facility: wrapped in the database, unwrapped in memory, never both in one place.

use std::num::NonZeroUsize;

use hysio_model::id::FacilityId;
use tokio_postgres::GenericClient;

use super::{
    Error, Result,
    connection::{Connection, Params},
};
use crate::cipher::{
    DataKey, FacilityKeys, IndexRoot, KeyError, KeyPurpose, Keyring, MasterKeys, WrappedKey,
};

/// Facilities whose keys one process keeps unwrapped.
const FACILITIES_CACHED: NonZeroUsize = NonZeroUsize::new(1_000).expect("not zero");
const PLATFORM: FacilityId = FacilityId(0);
const WRAPPED: &str = "SELECT purpose, facility_id, version, master_key_id, wrapped_key FROM encryption_keys WHERE purpose = $1 AND facility_id = $2";

/// The master keys, and what they have unwrapped.
pub struct Vault {
    master: MasterKeys,
    index: IndexRoot,
    keyring: Keyring,
}

impl Vault {
    /// Checks that `master` opens this database's keys; a database without keys gets its first.
    pub async fn open(master: MasterKeys, client: &impl GenericClient) -> Result<Self> {
        match wrapped(client, KeyPurpose::Check, PLATFORM).await?.first() {
            Some(check) => master.verify_against(check)?,
            None => {
                return Err(Error::Settings(
                    "the database has no keys yet: run `hysio migrate`".into(),
                ));
            }
        }
        let index = wrapped(client, KeyPurpose::Index, PLATFORM).await?;
        let index = index
            .first()
            .ok_or(KeyError::NoDataKey { facility: PLATFORM })?;
        Ok(Self {
            index: IndexRoot::unwrap(&master, index)?,
            master,
            keyring: Keyring::new(FACILITIES_CACHED),
        })
    }

    pub(super) async fn keys(
        &self,
        client: &Connection,
        facility: FacilityId,
    ) -> Result<std::sync::Arc<FacilityKeys>> {
        if let Some(keys) = self.keyring.get(facility) {
            return Ok(keys);
        }
        let params: Params<'_> = &[&KeyPurpose::Data.as_str(), &facility.0];
        let data = client.query(WRAPPED, params).await?;
        let data: Vec<WrappedKey> = data.iter().map(from_row).collect::<Result<_>>()?;
        let keys = data
            .iter()
            .map(|key| DataKey::unwrap(&self.master, key))
            .collect::<std::result::Result<_, _>>()?;
        Ok(self.keyring.insert(FacilityKeys::new(
            facility,
            keys,
            self.index.for_facility(facility),
        )?))
    }

    pub(super) fn known(&self, facility: FacilityId) -> Option<std::sync::Arc<FacilityKeys>> {
        self.keyring.get(facility)
    }

    /// Reads a facility's keys again at the next use: a value was sealed with a version that was not there before.
    pub fn forget(&self, facility: FacilityId) {
        self.keyring.forget(facility);
    }
}

/// Gives a new database its check value and index root. Done by the schema's owner; a second call changes nothing.
pub(super) async fn found(master: &MasterKeys, client: &impl GenericClient) -> Result<()> {
    if let Some(check) = wrapped(client, KeyPurpose::Check, PLATFORM).await?.first() {
        return Ok(master.verify_against(check)?);
    }
    store(client, &master.check_value()).await?;
    store(client, &IndexRoot::generate().wrap(master)).await
}

/// Gives a facility a new data key, its first or the next. Done by the schema's owner.
pub(super) async fn add_data_key(
    master: &MasterKeys,
    client: &impl GenericClient,
    facility: FacilityId,
) -> Result<u32> {
    let newest = wrapped(client, KeyPurpose::Data, facility)
        .await?
        .iter()
        .map(|key| key.version)
        .max()
        .unwrap_or(0);
    store(
        client,
        &DataKey::generate(facility, newest + 1).wrap(master),
    )
    .await?;
    Ok(newest + 1)
}

/// Wraps every key that is still under an older master key again, under the current one. Returns how many there were.
pub(super) async fn rewrap(master: &MasterKeys, client: &impl GenericClient) -> Result<usize> {
    let rows = client
        .query(
            "SELECT purpose, facility_id, version, master_key_id, wrapped_key FROM encryption_keys",
            &[],
        )
        .await?;
    let mut outdated = 0;
    for row in rows {
        let key = from_row(&row)?;
        if master.is_outdated(&key) {
            let new = master.rewrap(&key)?;
            client
                .execute(
                    "UPDATE encryption_keys SET master_key_id = $4, wrapped_key = $5 WHERE purpose = $1 AND facility_id = $2 AND version = $3",
                    &[&new.purpose.as_str(), &new.facility.0, &version(&new), &new.master_key_id, &new.bytes],
                )
                .await?;
            outdated += 1;
        }
    }
    Ok(outdated)
}

async fn wrapped(
    client: &impl GenericClient,
    purpose: KeyPurpose,
    facility: FacilityId,
) -> Result<Vec<WrappedKey>> {
    client
        .query(WRAPPED, &[&purpose.as_str(), &facility.0])
        .await?
        .iter()
        .map(from_row)
        .collect()
}

async fn store(client: &impl GenericClient, key: &WrappedKey) -> Result<()> {
    client
        .execute(
            "INSERT INTO encryption_keys (purpose, facility_id, version, master_key_id, wrapped_key) VALUES ($1, $2, $3, $4, $5)",
            &[&key.purpose.as_str(), &key.facility.0, &version(key), &key.master_key_id, &key.bytes],
        )
        .await?;
    Ok(())
}

fn version(key: &WrappedKey) -> i32 {
    i32::try_from(key.version).expect("a facility has far fewer than 2^31 keys")
}

fn from_row(row: &tokio_postgres::Row) -> Result<WrappedKey> {
    let (purpose, facility, version): (String, i32, i32) = (row.get(0), row.get(1), row.get(2));
    let corrupt = || {
        Error::corrupt(
            "encryption_keys",
            "purpose",
            format!("{purpose}/{facility}/{version}"),
        )
    };
    let known = [KeyPurpose::Data, KeyPurpose::Index, KeyPurpose::Check];
    Ok(WrappedKey {
        purpose: known
            .into_iter()
            .find(|known| known.as_str() == purpose)
            .ok_or_else(corrupt)?,
        facility: FacilityId(facility),
        version: u32::try_from(version).map_err(|_| corrupt())?,
        master_key_id: row.get(3),
        bytes: row.get(4),
    })
}
