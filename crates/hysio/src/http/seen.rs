//! How far the database's log was after a session's newest write: kept in a cookie, so that whichever instance answers next
//! reads from no replica that has not come as far. Who forges it only harms what they see themselves.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, header},
    middleware::Next,
    response::Response,
};
use hysio_infra::postgres::replica;
use postgres_types::PgLsn;

use super::app::App;

const SECURE: &str = "__Host-hysio_seen";
const PLAIN: &str = "hysio_seen";
/// A replica that is further behind is no help to anybody.
const SECONDS: u32 = 3_600;

pub async fn keep(State(app): State<App>, request: Request, next: Next) -> Response {
    if app.db.replica_counts().is_none() {
        return next.run(request).await;
    }
    let before = from_cookie(request.headers());
    let (mut response, after) = replica::serving(before, next.run(request)).await;
    if let Some(after) = after.filter(|_| after != before) {
        let (name, secure) = if app.is_https() {
            (SECURE, "; Secure")
        } else {
            (PLAIN, "")
        };
        let cookie =
            format!("{name}={after}; Path=/; Max-Age={SECONDS}; HttpOnly; SameSite=Strict{secure}");
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    response
}

fn from_cookie(headers: &HeaderMap) -> Option<PgLsn> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find(|(name, _)| [SECURE, PLAIN].contains(name))
        .and_then(|(_, lsn)| lsn.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_in_the_log_is_found_among_other_cookies() {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::COOKIE,
            HeaderValue::from_static("a=b; __Host-hysio_seen=16/B374D848; c=d"),
        );
        assert_eq!(from_cookie(&headers), "16/B374D848".parse().ok());
        headers.insert(
            header::COOKIE,
            HeaderValue::from_static("hysio_seen=nonsense"),
        );
        assert_eq!(from_cookie(&headers), None);
    }
}
