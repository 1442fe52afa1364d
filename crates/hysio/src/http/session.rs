//! Signing in and out.

use std::{net::SocketAddr, sync::LazyLock, time::Duration};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use axum::{
    extract::{ConnectInfo, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hysio_infra::postgres::{
    sessions::{self, Candidate, NewSession, Profile, Session},
    stages,
};
use hysio_model::{Facility, Phi, Role, audit::Outcome, id::UserId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::{
    app::App,
    extract::Json,
    problem::{Problem, Result},
    signed_in::{COOKIE_PLAIN, COOKIE_SECURE, SignedIn, TokenHash, refuse_forgery},
};

/// Longer passwords are refused before they cost anything.
const PASSWORD_BYTES_MAX: usize = 1_000;

#[derive(Deserialize, ToSchema)]
pub struct SignIn {
    email: String,
    #[schema(value_type = String, format = Password)]
    password: Phi<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Me {
    user: Person,
    facility: Option<Facility>,
    idle_timeout_seconds: u64,
    #[schema(value_type = String, format = "date-time")]
    expires_at: Timestamp,
}

#[derive(Serialize, ToSchema)]
struct Person {
    id: UserId,
    name: String,
    email: String,
    role: Role,
    specialty: Option<String>,
    language: String,
}

/// Sign in.
#[utoipa::path(post, path = "/api/session", request_body = SignIn, responses((status = 200, body = Me), (status = 401, body = Problem), (status = 423, body = Problem)))]
pub async fn sign_in(
    State(app): State<App>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    parts: Parts,
    Json(request): Json<SignIn>,
) -> Result<Response> {
    refuse_forgery(&parts)?;
    app.allow_sign_in(&app.client(address, &parts.headers))
        .await?;
    let email = request.email.trim();
    // The database takes no NUL, and no address has one.
    let candidate = if email.chars().any(char::is_control) {
        None
    } else {
        app.db.sign_in_candidate(email).await?
    };
    refuse_locked(candidate.as_ref())?;
    let hash = candidate
        .as_ref()
        .map(|candidate| candidate.password_hash.clone());
    let right = app.verify_password(request.password, hash).await?;
    match candidate {
        Some(candidate) if right && !candidate.disabled => open(&app, &candidate).await,
        Some(candidate) => Err(count_failure(&app, &candidate).await?),
        None => Err(wrong()),
    }
}

/// Who is signed in.
#[utoipa::path(get, path = "/api/session", responses((status = 200, body = Me), (status = 401, body = Problem)))]
pub async fn me(State(app): State<App>, signed_in: SignedIn) -> Result<Json<Me>> {
    Ok(Json(describe(&app, &signed_in.session).await?))
}

/// Sign out.
#[utoipa::path(delete, path = "/api/session", responses((status = 204)))]
pub async fn sign_out(State(app): State<App>, signed_in: SignedIn) -> Result<Response> {
    let tx = app.db.platform_tx().await?;
    sessions::close(&tx, &signed_in.token.0).await?;
    let user = signed_in.session.user.to_string();
    tx.commit(&[signed_in.audit("session.close", ("user", user), json!({}))])
        .await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    for name in [COOKIE_SECURE, COOKIE_PLAIN] {
        let gone = format!(
            "{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict{}",
            secure_for(name)
        );
        response.headers_mut().append(
            header::SET_COOKIE,
            HeaderValue::from_str(&gone).expect("ASCII"),
        );
    }
    Ok(response)
}

fn wrong() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "invalid-sign-in",
        "the e-mail address and the password do not belong together",
    )
}

fn refuse_locked(candidate: Option<&Candidate>) -> Result<()> {
    match candidate.and_then(|candidate| candidate.locked_for) {
        Some(time) => Err(locked(time)),
        None => Ok(()),
    }
}

fn locked(time: Duration) -> Problem {
    let seconds = time.as_secs().max(1);
    let detail = format!(
        "too many failed sign-ins: try again in {} minutes, or ask your administrator",
        seconds.div_ceil(60)
    );
    Problem::new(StatusCode::LOCKED, "locked-out", detail).retry_after(seconds)
}

async fn count_failure(app: &App, candidate: &Candidate) -> Result<Problem> {
    let tx = app.db.platform_tx().await?;
    let rules = &app.config.session;
    let lock = Duration::from_secs(rules.lock_minutes * 60);
    let locked_for = sessions::failed(&tx, candidate.id, rules.lock_after, lock).await?;
    let user = candidate.id.to_string();
    let mut event = stages::audit(
        candidate.facility,
        &user,
        "session.open",
        ("user", user.clone()),
        json!({ "locked": locked_for.is_some() }),
    );
    event.outcome = Outcome::Refused;
    tx.commit(&[event]).await?;
    Ok(locked_for.map_or_else(wrong, locked))
}

async fn open(app: &App, candidate: &Candidate) -> Result<Response> {
    let mut token = Zeroizing::new([0_u8; 32]);
    aws_lc_rs::rand::fill(token.as_mut_slice())
        .map_err(|_| Problem::unavailable("no random numbers can be had"))?;
    let hours = app.config.session.lifetime_hours;
    let new = NewSession {
        user: candidate.id,
        facility: candidate.facility,
        role: candidate.role,
        lifetime: Duration::from_secs(hours.saturating_mul(3_600)),
    };
    let user = candidate.id.to_string();
    let event = stages::audit(
        candidate.facility,
        &user,
        "session.open",
        ("user", user.clone()),
        json!({ "role": candidate.role }),
    );
    let hash = TokenHash::of(token.as_slice());
    let session = app.db.open_session(&hash.0, &new, &event).await?;
    let me = describe(app, &session).await?;
    let name = if app.is_https() {
        COOKIE_SECURE
    } else {
        COOKIE_PLAIN
    };
    let cookie = format!(
        "{name}={}; Path=/; HttpOnly; SameSite=Strict{}",
        URL_SAFE_NO_PAD.encode(token.as_slice()),
        secure_for(name)
    );
    let mut response = Json(me).into_response();
    response.headers_mut().append(
        header::SET_COOKIE,
        HeaderValue::from_str(&cookie).expect("base64 is ASCII"),
    );
    Ok(response)
}

fn secure_for(name: &str) -> &'static str {
    if name == COOKIE_SECURE {
        "; Secure"
    } else {
        ""
    }
}

async fn describe(app: &App, session: &Session) -> Result<Me> {
    let profile: Profile = app
        .db
        .profile(session.user)
        .await?
        .ok_or_else(Problem::signed_out)?;
    Ok(Me {
        user: Person {
            id: profile.id,
            name: profile.name,
            email: profile.email,
            role: profile.role,
            specialty: profile.specialty,
            language: profile.language,
        },
        facility: profile.facility.map(|(id, name)| Facility { id, name }),
        idle_timeout_seconds: app.idle_timeout().as_secs(),
        expires_at: session.expires_at,
    })
}

/// Hashes a new password (Argon2id, the crate's defaults: 19 MiB, two passes, as OWASP recommends).
pub fn hash_password(password: &str) -> anyhow::Result<String> {
    anyhow::ensure!(
        password.chars().count() >= 10,
        "a password needs at least 10 characters"
    );
    anyhow::ensure!(
        password.len() <= PASSWORD_BYTES_MAX,
        "a password has at most {PASSWORD_BYTES_MAX} bytes"
    );
    let hash = Argon2::default().hash_password(password.as_bytes());
    Ok(hash
        .map_err(|error| anyhow::anyhow!("the password cannot be hashed: {error}"))?
        .to_string())
}

/// Whether the password is the one that was hashed. Without a hash it takes as long, so that nobody learns from the time
/// which addresses exist.
#[must_use]
pub fn password_matches(password: &str, hash: Option<&str>) -> bool {
    static NOBODY: LazyLock<String> =
        LazyLock::new(|| hash_password("nobody has this password").expect("long enough"));
    if password.len() > PASSWORD_BYTES_MAX {
        return false;
    }
    let parsed = PasswordHash::new(hash.unwrap_or(&NOBODY));
    let matches = parsed.is_ok_and(|parsed| {
        Argon2::default()
            .verify_password(password.as_bytes(), &parsed)
            .is_ok()
    });
    matches && hash.is_some()
}

/// Reads the client's address off a proxy's header, where one is trusted.
#[must_use]
pub fn forwarded_for(headers: &HeaderMap) -> Option<std::net::IpAddr> {
    headers
        .get("x-forwarded-for")?
        .to_str()
        .ok()?
        .rsplit(',')
        .next()?
        .trim()
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_matches_and_nobody_matches_nothing() {
        let hash = hash_password("correct horse battery").expect("hashed");
        assert!(password_matches("correct horse battery", Some(&hash)));
        assert!(!password_matches("correct horse batterx", Some(&hash)));
        assert!(!password_matches("nobody has this password", None));
        assert!(!password_matches(&"x".repeat(1_001), Some(&hash)));
    }

    #[test]
    fn a_short_password_is_refused() {
        assert!(hash_password("short").is_err());
    }
}
