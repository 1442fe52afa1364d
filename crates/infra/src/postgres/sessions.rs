//! Sign-ins and sessions. A session is found by the hash of its token, and the token is nowhere but in the cookie.

use std::{slice, time::Duration};

use hysio_model::{
    Role,
    audit::AuditEvent,
    id::{FacilityId, UserId},
};
use jiff::Timestamp;
use tokio_postgres::Row;

use super::{Database, Error, Result, Tx};

/// Who an e-mail address belongs to, as far as signing in needs it.
pub struct Candidate {
    pub id: UserId,
    pub facility: Option<FacilityId>,
    pub password_hash: String,
    pub role: Role,
    pub disabled: bool,
    /// How much longer nobody can sign in, by the database's clock: those of the instances may differ.
    pub locked_for: Option<Duration>,
}

/// A session to be opened.
#[derive(Clone, Copy, Debug)]
pub struct NewSession {
    pub user: UserId,
    pub facility: Option<FacilityId>,
    pub role: Role,
    pub lifetime: Duration,
}

#[derive(Clone, Debug)]
pub struct Session {
    pub user: UserId,
    pub facility: Option<FacilityId>,
    pub role: Role,
    pub expires_at: Timestamp,
}

/// A person, as their own pages show them and mails address them.
#[derive(Clone, Debug)]
pub struct Profile {
    pub id: UserId,
    pub name: String,
    pub email: String,
    pub role: Role,
    pub specialty: Option<String>,
    pub language: String,
    pub facility: Option<(FacilityId, String)>,
}

impl Database {
    /// Who signs in with this address. A short outage is waited through.
    pub async fn sign_in_candidate(&self, email: &str) -> Result<Option<Candidate>> {
        self.outage.through(move || self.candidate_now(email)).await
    }

    async fn candidate_now(&self, email: &str) -> Result<Option<Candidate>> {
        let client = self.client().await?;
        let statement = "SELECT *, extract(epoch FROM locked_until - now())::double precision AS locked_seconds FROM user_for_sign_in($1)";
        let Some(row) = client.query_opt(statement, &[&email]).await? else {
            return Ok(None);
        };
        let id = UserId(row.get("id"));
        Ok(Some(Candidate {
            id,
            facility: facility(&row),
            password_hash: row.get("password_hash"),
            role: role(row.get("role"), id)?,
            disabled: row.get("disabled"),
            locked_for: ahead(row.get("locked_seconds")),
        }))
    }

    /// The session of a token, if it lives; being asked for prolongs it. It is the first thing that a request needs, so a short
    /// outage is waited through here.
    pub async fn session(&self, token_hash: &[u8], idle: Duration) -> Result<Option<Session>> {
        self.outage
            .through(move || self.session_now(token_hash, idle))
            .await
    }

    async fn session_now(&self, token_hash: &[u8], idle: Duration) -> Result<Option<Session>> {
        let client = self.client().await?;
        // Written at most once a minute: a session is asked for with every request.
        let sql = "WITH live AS (
                SELECT * FROM sessions WHERE token_hash = $1 AND expires_at > now() AND last_seen_at > now() - make_interval(secs => $2)
            ), seen AS (
                UPDATE sessions s SET last_seen_at = now() FROM live
                WHERE s.token_hash = live.token_hash AND live.last_seen_at < now() - interval '1 minute'
            )
            SELECT user_id, facility_id, role::text AS role, expires_at FROM live";
        let Some(row) = client
            .query_opt(sql, &[&token_hash, &idle.as_secs_f64()])
            .await?
        else {
            return Ok(None);
        };
        let user = UserId(row.get("user_id"));
        Ok(Some(Session {
            user,
            facility: facility(&row),
            role: role(row.get("role"), user)?,
            expires_at: row.get("expires_at"),
        }))
    }

    /// Opens a session, whose token the caller has made, and writes it into the trail. A short outage is waited through: one that
    /// was opened by an attempt whose answer was lost is the same session.
    pub async fn open_session(
        &self,
        token_hash: &[u8],
        new: &NewSession,
        event: &AuditEvent,
    ) -> Result<Session> {
        self.outage
            .through(move || self.open_now(token_hash, new, event))
            .await
    }

    async fn open_now(
        &self,
        token_hash: &[u8],
        new: &NewSession,
        event: &AuditEvent,
    ) -> Result<Session> {
        let tx = self.platform_tx().await?;
        let (session, is_new) = open(&tx, token_hash, new).await?;
        let events = is_new.then_some(event);
        tx.commit(events.map_or(&[], slice::from_ref)).await?;
        Ok(session)
    }

    pub async fn profile(&self, id: UserId) -> Result<Option<Profile>> {
        let client = self.client().await?;
        let statement = "SELECT * FROM profile($1)";
        let Some(row) = client.query_opt(statement, &[&id.0]).await? else {
            return Ok(None);
        };
        Ok(Some(Profile {
            id,
            name: row.get("name"),
            email: row.get("email"),
            role: role(row.get("role"), id)?,
            specialty: row.get("specialty"),
            language: row.get("language"),
            facility: facility(&row).map(|id| (id, row.get("facility_name"))),
        }))
    }

    /// Deletes sessions that are over, and Idempotency-Keys nobody can still be retrying with.
    pub async fn sweep_sessions(&self) -> Result<()> {
        let client = self.client().await?;
        client.execute("DELETE FROM sessions WHERE expires_at < now() OR last_seen_at < now() - interval '1 day'", &[]).await?;
        client
            .execute("SELECT forget_idempotency_keys()", &[])
            .await?;
        Ok(())
    }
}

/// Counts a failed sign-in. Returns for how long the account is locked, if it is now.
pub async fn failed(
    tx: &Tx,
    user: UserId,
    threshold: i32,
    lock: Duration,
) -> Result<Option<Duration>> {
    let seconds = i32::try_from(lock.as_secs()).unwrap_or(i32::MAX);
    let sql = "SELECT extract(epoch FROM sign_in_failed($1, $2, $3) - now())::double precision";
    let row = tx.query_one(sql, &[&user.0, &threshold, &seconds]).await?;
    Ok(ahead(row.get(0)))
}

/// Seconds from now; None when they are over.
fn ahead(seconds: Option<f64>) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds?)
        .ok()
        .filter(|it| !it.is_zero())
}

/// Opens a session. Also says whether it was not open already.
pub async fn open(tx: &Tx, token_hash: &[u8], new: &NewSession) -> Result<(Session, bool)> {
    tx.query("SELECT sign_in_succeeded($1)", &[&new.user.0])
        .await?;
    let row = tx
        .query_one(
            "INSERT INTO sessions (token_hash, user_id, facility_id, role, expires_at)
             VALUES ($1, $2, $3, ($4::text)::user_role, now() + make_interval(secs => $5))
             ON CONFLICT (token_hash) DO UPDATE SET last_seen_at = now() RETURNING expires_at, xmax = 0 AS is_new",
            &[
                &token_hash,
                &new.user.0,
                &new.facility.map(|id| id.0),
                &new.role.as_str(),
                &new.lifetime.as_secs_f64(),
            ],
        )
        .await?;
    let session = Session {
        user: new.user,
        facility: new.facility,
        role: new.role,
        expires_at: row.get("expires_at"),
    };
    Ok((session, row.get("is_new")))
}

pub async fn close(tx: &Tx, token_hash: &[u8]) -> Result<()> {
    tx.execute("DELETE FROM sessions WHERE token_hash = $1", &[&token_hash])
        .await?;
    Ok(())
}

/// Ends every session of a user: the account was disabled or its password changed.
pub async fn close_all(tx: &Tx, user: UserId) -> Result<()> {
    tx.execute("DELETE FROM sessions WHERE user_id = $1", &[&user.0])
        .await?;
    Ok(())
}

fn facility(row: &Row) -> Option<FacilityId> {
    row.get::<_, Option<i32>>("facility_id").map(FacilityId)
}

fn role(name: &str, user: UserId) -> Result<Role> {
    name.parse()
        .map_err(|_| Error::corrupt("users", "role", user))
}
