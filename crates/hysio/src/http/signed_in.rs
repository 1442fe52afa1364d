//! Who is asking. The session's token is in a cookie that scripts cannot read; the database knows its hash alone.

use std::net::SocketAddr;

use axum::{
    extract::{ConnectInfo, FromRef, FromRequestParts},
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hysio_infra::postgres::{Database, Tx, sessions::Session};
use hysio_model::{
    Role,
    audit::AuditEvent,
    id::{FacilityId, UserId},
};
use sha2::{Digest as _, Sha256};

use super::{app::App, problem::Problem};

/// On plain HTTP, which is for this machine alone, browsers refuse the `__Host-` prefix.
pub const COOKIE_SECURE: &str = "__Host-hysio_session";
pub const COOKIE_PLAIN: &str = "hysio_session";
/// Any page may send a form; only ours sets this header.
const REQUEST_HEADER: &str = "x-hysio-request";

/// The token of a cookie, hashed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

impl TokenHash {
    #[must_use]
    pub fn of(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// From the request's cookie, if it has one of ours.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
            .find(|(name, _)| [COOKIE_SECURE, COOKIE_PLAIN].contains(name))
            .and_then(|(_, token)| URL_SAFE_NO_PAD.decode(token).ok())
            .map(|token| Self::of(&token))
    }
}

/// Anybody who has signed in.
pub struct SignedIn {
    pub session: Session,
    pub token: TokenHash,
}

impl<S: Send + Sync> FromRequestParts<S> for SignedIn
where
    App: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let app = App::from_ref(state);
        refuse_forgery(parts)?;
        let token = TokenHash::from_headers(&parts.headers);
        let session = match &token {
            Some(token) => app.db.session(&token.0, app.idle_timeout()).await?,
            None => None,
        };
        let (Some(token), Some(session)) = (token, session) else {
            // Those who have not signed in are counted by their address.
            if let Some(ConnectInfo(address)) = parts.extensions.get::<ConnectInfo<SocketAddr>>() {
                app.allow(&app.client(*address, &parts.headers)).await?;
            }
            return Err(Problem::signed_out());
        };
        app.allow(&session.user.to_string()).await?;
        Ok(Self { session, token })
    }
}

/// A request that changes something must come from our own pages or from a program that says so.
pub fn refuse_forgery(parts: &Parts) -> Result<(), Problem> {
    let safe = [Method::GET, Method::HEAD, Method::OPTIONS].contains(&parts.method);
    if safe || parts.headers.contains_key(REQUEST_HEADER) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "forgery",
        "a request that changes something must carry the header X-Hysio-Request: 1",
    ))
}

impl SignedIn {
    fn with_role(self, roles: &[Role]) -> Result<Self, Problem> {
        if roles.contains(&self.session.role) {
            return Ok(self);
        }
        let needed: Vec<_> = roles.iter().map(|role| role.as_str()).collect();
        Err(Problem::forbidden(&needed.join(" or ")))
    }

    /// An audit entry of what this person did.
    #[must_use]
    pub fn audit(
        &self,
        action: &str,
        resource: (&str, String),
        details: serde_json::Value,
    ) -> AuditEvent {
        hysio_infra::postgres::stages::audit(
            self.session.facility,
            &self.session.user.to_string(),
            action,
            resource,
            details,
        )
    }
}

/// A clinician, and the facility they work for.
pub struct Clinician {
    pub user: UserId,
    pub facility: FacilityId,
    pub signed_in: SignedIn,
}

impl Clinician {
    pub async fn tx(&self, db: &Database) -> Result<Tx, Problem> {
        Ok(db.tx(self.facility).await?)
    }

    #[must_use]
    pub fn audit(
        &self,
        action: &str,
        resource: (&str, String),
        details: serde_json::Value,
    ) -> AuditEvent {
        self.signed_in.audit(action, resource, details)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Clinician
where
    App: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let signed_in = SignedIn::from_request_parts(parts, state)
            .await?
            .with_role(&[Role::Clinician])?;
        let facility = signed_in
            .session
            .facility
            .ok_or_else(|| Problem::forbidden("clinician"))?;
        Ok(Self {
            user: signed_in.session.user,
            facility,
            signed_in,
        })
    }
}

macro_rules! role_extractor {
    ($(#[$doc:meta])* $name:ident, $roles:expr) => {
        $(#[$doc])*
        pub struct $name(pub SignedIn);

        impl<S: Send + Sync> FromRequestParts<S> for $name
        where
            App: FromRef<S>,
        {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
                SignedIn::from_request_parts(parts, state).await?.with_role($roles).map(Self)
            }
        }
    };
}

role_extractor!(
    /// Manages the users of the own facility.
    FacilityAdmin,
    &[Role::FacilityAdmin]
);
role_extractor!(
    /// Looks after jobs: an operator everywhere, an administrator in the own facility.
    Caretaker,
    &[Role::Operator, Role::FacilityAdmin]
);
role_extractor!(
    /// Looks after the platform: what runs, and how much of it.
    Operator,
    &[Role::Operator]
);
role_extractor!(
    /// Reads the audit trail.
    Auditor,
    &[Role::Auditor]
);
