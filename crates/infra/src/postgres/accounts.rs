//! Facilities, and the keys and users they start with. Done by the schema's owner (`hysio facility`, `hysio user`, the
//! first `hysio up`), never by a service.

use hysio_model::{
    Facility, Role, Specialty,
    id::{FacilityId, UserId},
    transcript::Language,
};
use tokio_postgres::{Client, GenericClient};

use super::{Result, audit, keys, stages};
use crate::cipher::MasterKeys;

/// A person to be added. The password is hashed already.
pub struct NewUser {
    pub facility: Option<FacilityId>,
    pub email: String,
    pub name: String,
    pub password_hash: String,
    pub role: Role,
    pub specialty: Option<Specialty>,
    pub language: Language,
}

/// A new facility with its first data key.
pub async fn add_facility(
    client: &mut Client,
    master: &MasterKeys,
    name: &str,
) -> Result<Facility> {
    let tx = client.transaction().await?;
    let id = FacilityId(
        tx.query_one(
            "INSERT INTO facilities (name) VALUES ($1) RETURNING id",
            &[&name],
        )
        .await?
        .get(0),
    );
    keys::add_data_key(master, &tx, id).await?;
    note(&tx, "facility.create", ("facility", id.to_string())).await?;
    tx.commit().await?;
    Ok(Facility {
        id,
        name: name.to_owned(),
    })
}

pub async fn facilities(client: &Client) -> Result<Vec<Facility>> {
    let rows = client
        .query("SELECT id, name FROM facilities ORDER BY id", &[])
        .await?;
    Ok(rows
        .iter()
        .map(|row| Facility {
            id: FacilityId(row.get(0)),
            name: row.get(1),
        })
        .collect())
}

/// # Errors
/// [`super::Error::Constraint`] `users_email` when the address is taken.
pub async fn add_user(client: &Client, user: &NewUser) -> Result<UserId> {
    let id = UserId::new();
    client
        .execute(
            "INSERT INTO users (id, facility_id, email, name, password_hash, role, specialty, language)
             VALUES ($1, $2, $3, $4, $5, ($6::text)::user_role, $7, $8)",
            &[
                &id.0,
                &user.facility.map(|id| id.0),
                &user.email,
                &user.name,
                &user.password_hash,
                &user.role.as_str(),
                &user.specialty.map(Specialty::as_str),
                &user.language.code(),
            ],
        )
        .await?;
    note(client, "user.create", ("user", id.to_string())).await?;
    Ok(id)
}

/// Writes the entry of what the schema's owner did.
async fn note(client: &impl GenericClient, action: &str, resource: (&str, String)) -> Result<()> {
    let events = [stages::audit(
        None,
        "owner",
        action,
        resource,
        serde_json::json!({}),
    )];
    client
        .execute(
            audit::INSERT,
            &audit::Columns::from(events.as_slice()).params(),
        )
        .await?;
    Ok(())
}

/// A new password for the user with that address, whose sessions end with it. False when there is none.
pub async fn set_password(client: &mut Client, email: &str, password_hash: &str) -> Result<bool> {
    let tx = client.transaction().await?;
    let sql = "UPDATE users SET password_hash = $2, failed_sign_ins = 0, locked_until = NULL WHERE lower(email) = lower($1) RETURNING id";
    let Some(row) = tx.query_opt(sql, &[&email, &password_hash]).await? else {
        return Ok(false);
    };
    let id = UserId(row.get(0));
    tx.execute("DELETE FROM sessions WHERE user_id = $1", &[&id.0])
        .await?;
    note(&tx, "user.password", ("user", id.to_string())).await?;
    tx.commit().await?;
    Ok(true)
}

pub async fn any_user(client: &Client) -> Result<bool> {
    Ok(client
        .query_one("SELECT EXISTS (SELECT FROM users)", &[])
        .await?
        .get(0))
}

/// A new data key for a facility; from now on it seals, and the older ones go on opening.
pub async fn rotate_data_key(
    client: &Client,
    master: &MasterKeys,
    facility: FacilityId,
) -> Result<u32> {
    keys::add_data_key(master, client, facility).await
}

/// Every wrapped key under the current master key. Returns how many were not.
pub async fn rewrap_keys(client: &Client, master: &MasterKeys) -> Result<usize> {
    keys::rewrap(master, client).await
}
