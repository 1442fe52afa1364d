//! The pages: static HTML, scripts and styles from `web/`, embedded in the binary, over the JSON API.
//!
//! Shells name their assets as `/assets/…`; what is sent says `/assets/<version>/…`, where the version is a
//! fingerprint of all files, so assets can be kept for good and a new build is seen at once. Scripts and styles
//! name each other relatively and so stay in their version. Deliberately absent: templates, sessions, data.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::{
    Router,
    body::Body,
    extract::Path,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
            REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
        },
    },
    response::{IntoResponse, Response},
    routing::get,
};
use rust_embed::{EmbeddedFile, RustEmbed};

/// Nothing but our own files; no inline script or style; no string can become markup (`trusted-types 'none'`).
const POLICY: &str = "default-src 'self'; img-src 'self' data:; media-src 'self' blob:; connect-src 'self'; \
     object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";
const PERMISSIONS: &str = "microphone=(self), screen-wake-lock=(self), camera=(), geolocation=(), display-capture=(), payment=(), usb=()";
const REVALIDATE: &str = "no-cache";
const KEEP: &str = "public, max-age=31536000, immutable";

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../web"]
#[exclude = "tests/*"]
struct Web;

/// The pages and their assets; ids in page paths are read by the page's script.
pub fn router() -> Router {
    Router::new()
        .route("/", shell("start.html"))
        .route("/sign-in", shell("sign-in.html"))
        .route("/patients/{id}", shell("patient.html"))
        .route("/encounters/{id}", shell("encounter.html"))
        .route("/admin", shell("admin.html"))
        .route("/operations", shell("operations.html"))
        .route("/capacity", shell("capacity.html"))
        .route("/audit", shell("audit.html"))
        .route("/assets/{*path}", get(asset))
}

fn shell(name: &'static str) -> axum::routing::MethodRouter {
    get(move |headers: HeaderMap| async move { page(name, &headers) })
}

fn page(name: &str, headers: &HeaderMap) -> Response {
    let Some(file) = Web::get(name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let version = version();
    let html =
        String::from_utf8_lossy(&file.data).replace("/assets/", &format!("/assets/{version}/"));
    answer(
        headers,
        &format!("\"{version}\""),
        "text/html; charset=utf-8",
        REVALIDATE,
        html,
    )
}

async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Response {
    let version = version();
    let (asked, name) = split_version(&path);
    let Some((file, media_type)) = media_type(name).and_then(|of| Some((Web::get(name)?, of)))
    else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // A page of another build may still ask: it gets today's file, but must not keep it under the old name.
    let caching = if asked == Some(version.as_str()) {
        KEEP
    } else {
        REVALIDATE
    };
    let tag = format!("\"{}\"", hex::encode(&file.metadata.sha256_hash()[..16]));
    answer(&headers, &tag, media_type, caching, file.data)
}

fn answer(
    asked: &HeaderMap,
    tag: &str,
    media_type: &'static str,
    caching: &'static str,
    body: impl Into<Body>,
) -> Response {
    let unchanged = asked
        .get(IF_NONE_MATCH)
        .and_then(|tags| tags.to_str().ok())
        .is_some_and(|tags| {
            tags.split(',')
                .any(|known| known.trim().trim_start_matches("W/") == tag)
        });
    let mut response = if unchanged {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        body.into().into_response()
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, media_type),
        (CACHE_CONTROL, caching),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert("permissions-policy", HeaderValue::from_static(PERMISSIONS));
    headers.insert(
        "cross-origin-opener-policy",
        HeaderValue::from_static("same-origin"),
    );
    headers.insert(
        "cross-origin-resource-policy",
        HeaderValue::from_static("same-origin"),
    );
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(ETAG, tag);
    }
    response
}

/// A fingerprint of all embedded files. It names a build and proves nothing.
fn version() -> String {
    let mut hasher = DefaultHasher::new();
    for name in Web::iter() {
        name.hash(&mut hasher);
        Web::get(&name)
            .map(|EmbeddedFile { metadata, .. }| metadata.sha256_hash())
            .hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

/// "0123456789abcdef/js/x.js" is a version and a name; "js/x.js" a name alone.
fn split_version(path: &str) -> (Option<&str>, &str) {
    match path.split_once('/') {
        Some((first, rest))
            if first.len() == 16 && first.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
        {
            (Some(first), rest)
        }
        _ => (None, path),
    }
}

/// Only what pages are made of is served; shells have their own paths.
fn media_type(name: &str) -> Option<&'static str> {
    match name.rsplit_once('.')?.1 {
        "js" => Some("text/javascript; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::to_bytes, http::Request};
    use tower::ServiceExt;

    use super::*;

    const MOST_BYTES: usize = 1 << 20;

    async fn ask(path: &str, tag: Option<&str>) -> (StatusCode, HeaderMap, String) {
        let mut request = Request::get(path);
        if let Some(tag) = tag {
            request = request.header(IF_NONE_MATCH, tag);
        }
        let response = router()
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, MOST_BYTES).await.unwrap();
        (
            parts.status,
            parts.headers,
            String::from_utf8(body.to_vec()).unwrap(),
        )
    }

    /// Everything in `text` between `src="` or `href="` and the next quote that is an asset.
    fn assets_named_in(text: &str) -> Vec<String> {
        text.split('"')
            .filter(|part| part.starts_with("/assets/"))
            .map(str::to_owned)
            .collect()
    }

    #[tokio::test]
    async fn every_page_and_every_asset_it_names_is_served_with_the_policy() {
        for path in [
            "/",
            "/sign-in",
            "/patients/x",
            "/encounters/x",
            "/admin",
            "/operations",
            "/capacity",
            "/audit",
        ] {
            let (status, headers, html) = ask(path, None).await;
            assert_eq!(status, StatusCode::OK, "{path}");
            assert_eq!(headers[CACHE_CONTROL], REVALIDATE);
            assert_eq!(headers[CONTENT_SECURITY_POLICY], POLICY);
            assert!(
                !html.contains("<style") && !html.contains(" style="),
                "{path} has an inline style"
            );
            let named = assets_named_in(&html);
            assert!(named.len() >= 4, "{path} names {named:?}");
            for asset in named {
                let (status, headers, _) = ask(&asset, None).await;
                assert_eq!(status, StatusCode::OK, "{path} names {asset}");
                assert_eq!(headers[CACHE_CONTROL], KEEP, "{asset}");
                assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
            }
        }
    }

    #[tokio::test]
    async fn every_module_that_a_script_imports_is_embedded() {
        for name in Web::iter().filter(|name| name.ends_with(".js")) {
            let file = Web::get(&name).unwrap();
            let text = String::from_utf8(file.data.to_vec()).unwrap();
            for target in imports_in(&text) {
                let found = resolve(&name, target);
                assert!(
                    Web::get(&found).is_some(),
                    "{name} imports {target}, which is not there"
                );
            }
        }
    }

    /// The relative modules after each `from "…"`.
    fn imports_in(text: &str) -> impl Iterator<Item = &str> {
        text.split(" from \"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .filter(|target| target.starts_with('.'))
    }

    fn resolve(from: &str, relative: &str) -> String {
        let mut parts: Vec<&str> = from.split('/').collect();
        parts.pop();
        for part in relative.split('/') {
            match part {
                "." => {}
                ".." => drop(parts.pop()),
                name => parts.push(name),
            }
        }
        parts.join("/")
    }

    #[tokio::test]
    async fn a_known_tag_is_answered_without_a_body() {
        let (_, headers, _) = ask("/assets/js/dom.js", None).await;
        let tag = headers[ETAG].to_str().unwrap();
        let (status, headers, body) =
            ask("/assets/js/dom.js", Some(&format!("W/\"other\", W/{tag}"))).await;
        assert_eq!((status, body.as_str()), (StatusCode::NOT_MODIFIED, ""));
        assert_eq!(headers[ETAG], tag);
    }

    #[tokio::test]
    async fn an_asset_of_another_build_is_served_but_not_kept() {
        let (status, headers, _) = ask("/assets/0123456789abcdef/js/dom.js", None).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers[CACHE_CONTROL], REVALIDATE);
    }

    #[tokio::test]
    async fn what_is_not_an_asset_is_not_found() {
        for path in [
            "/assets/start.html",
            "/assets/js/none.js",
            "/assets/../Cargo.toml",
            "/assets/%2e%2e/Cargo.toml",
            "/assets/tests/time.test.js",
        ] {
            assert_eq!(ask(path, None).await.0, StatusCode::NOT_FOUND, "{path}");
        }
    }
}
