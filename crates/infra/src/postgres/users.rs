//! The users of one facility, as its administrator manages them.

use hysio_model::id::UserId;
use jiff::Timestamp;
use tokio_postgres::Row;

use super::{Result, Tx, accounts::NewUser};
use hysio_model::Specialty;

/// A user as the administrator sees them.
pub struct User {
    pub id: UserId,
    pub email: String,
    pub name: String,
    pub role: String,
    pub specialty: Option<String>,
    pub language: String,
    pub disabled: bool,
    pub locked_until: Option<Timestamp>,
    pub created_at: Timestamp,
}

const COLUMNS: &str =
    "id, email, name, role::text AS role, specialty, language, disabled, locked_until, created_at";
/// The unique index that refuses a second user with the same address.
pub const EMAIL_CONSTRAINT: &str = "users_email";

pub async fn list(tx: &Tx) -> Result<Vec<User>> {
    let rows = tx
        .query(
            &format!("SELECT {COLUMNS} FROM users ORDER BY name, id LIMIT 1000"),
            &[],
        )
        .await?;
    Ok(rows.iter().map(from_row).collect())
}

pub async fn get(tx: &Tx, id: UserId) -> Result<Option<User>> {
    let row = tx
        .query_opt(
            &format!("SELECT {COLUMNS} FROM users WHERE id = $1"),
            &[&id.0],
        )
        .await?;
    Ok(row.map(|row| from_row(&row)))
}

/// A new user of the transaction's facility.
///
/// # Errors
/// [`super::Error::Constraint`] [`EMAIL_CONSTRAINT`] when the address is taken.
pub async fn insert(tx: &Tx, user: &NewUser) -> Result<UserId> {
    let id = UserId::new();
    tx.execute(
        "INSERT INTO users (id, facility_id, email, name, password_hash, role, specialty, language)
         VALUES ($1, $2, $3, $4, $5, ($6::text)::user_role, $7, $8)",
        &[
            &id.0,
            &tx.facility().0,
            &user.email,
            &user.name,
            &user.password_hash,
            &user.role.as_str(),
            &user.specialty.map(Specialty::as_str),
            &user.language.code(),
        ],
    )
    .await?;
    Ok(id)
}

/// What an administrator changes about a user.
#[derive(Debug, Default)]
pub struct Change {
    pub disabled: Option<bool>,
    pub password_hash: Option<String>,
    pub unlock: bool,
}

/// False when the facility has no such user.
pub async fn update(tx: &Tx, id: UserId, change: &Change) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE users SET disabled = coalesce($2, disabled), password_hash = coalesce($3, password_hash),
                locked_until = CASE WHEN $4 THEN NULL ELSE locked_until END,
                failed_sign_ins = CASE WHEN $4 THEN 0 ELSE failed_sign_ins END
             WHERE id = $1",
            &[&id.0, &change.disabled, &change.password_hash, &change.unlock],
        )
        .await?;
    Ok(changed == 1)
}

fn from_row(row: &Row) -> User {
    User {
        id: UserId(row.get("id")),
        email: row.get("email"),
        name: row.get("name"),
        role: row.get("role"),
        specialty: row.get("specialty"),
        language: row.get("language"),
        disabled: row.get("disabled"),
        locked_until: row.get("locked_until"),
        created_at: row.get("created_at"),
    }
}
