//! The plain pages: what runs, where the API is, and how the first administrator is made.

use axum::Router;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use http::{HeaderName, HeaderValue, StatusCode, header};

const HOME: &str = include_str!("page/home.html");
const SETUP: &str = include_str!("page/setup.html");
const SETUP_SCRIPT: &str = include_str!("page/setup.js");

/// Puts the API and the plain pages under `prefix`.
pub(crate) fn mount(api: Router, prefix: &str) -> Router {
    let pages = |api: Router| {
        Router::new()
            .route(
                "/setup",
                get(|| async { page(SETUP) }).fallback_service(api.clone()),
            )
            .route(
                "/setup.js",
                get(|| async { script() }).fallback_service(api.clone()),
            )
    };
    if prefix.is_empty() {
        let home = get(|| async { page(HOME) }).fallback_service(api.clone());
        return pages(api.clone()).route("/", home).fallback_service(api);
    }
    // Links of the page are relative, so it lies at the path that ends with a slash. The place without it only knows that
    // its last step is the prefix's last step.
    let last = prefix.rsplit('/').next().unwrap_or_default().to_owned();
    let inner = pages(api.clone())
        .route(
            "/",
            get(move || async move { Redirect::permanent(&format!("{last}/")) }),
        )
        .fallback_service(api);
    Router::new()
        .nest(prefix, inner)
        .route(&format!("{prefix}/"), get(|| async { page(HOME) }))
        .fallback(|| async { nothing_here() })
}

fn page(text: &'static str) -> Response {
    guarded(Html(text.replace("VERSION", env!("CARGO_PKG_VERSION"))).into_response())
}

fn script() -> Response {
    guarded(
        (
            [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")],
            SETUP_SCRIPT,
        )
            .into_response(),
    )
}

fn guarded(mut response: Response) -> Response {
    let guards: [(HeaderName, &str); 4] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; script-src 'self'; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
        ),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    for (name, value) in guards {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// What lies outside the prefix is not ours.
fn nothing_here() -> Response {
    let text = r#"{"type":"about:blank","title":"Not Found","status":404,"kind":"not_found","detail":"nothing is served here"}"#;
    (
        StatusCode::NOT_FOUND,
        [(header::CONTENT_TYPE, "application/problem+json")],
        text,
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::Request;
    use tower::ServiceExt as _;

    use super::*;

    fn api() -> Router {
        Router::new().fallback(|request: Request<Body>| async move {
            format!("{} {}", request.method(), request.uri())
        })
    }

    async fn ask(router: &Router, method: &str, path: &str) -> (u16, String) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(Body::empty())
            .unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let location = response
            .headers()
            .get(header::LOCATION)
            .map(|location| location.to_str().unwrap().to_owned());
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (
            status,
            location.unwrap_or_else(|| String::from_utf8(body.to_vec()).unwrap()),
        )
    }

    #[tokio::test]
    async fn without_a_prefix_the_page_is_at_the_root_and_all_else_is_the_api() {
        let router = mount(api(), "");
        let (status, text) = ask(&router, "GET", "/").await;
        assert!(
            status == 200 && text.contains("api/v1/openapi.json") && text.contains(env!("CARGO_PKG_VERSION"))
        );
        assert_eq!(
            ask(&router, "GET", "/api/v1/me").await,
            (200, "GET /api/v1/me".into())
        );
        assert_eq!(ask(&router, "POST", "/").await, (200, "POST /".into()));
        assert!(ask(&router, "GET", "/setup?token=x").await.1.contains("setup.js"));
    }

    #[tokio::test]
    async fn below_a_prefix_the_api_sees_its_own_paths() {
        let router = mount(api(), "/portal/disk");
        assert_eq!(ask(&router, "GET", "/portal/disk").await, (308, "disk/".into()));
        let (status, text) = ask(&router, "GET", "/portal/disk/").await;
        assert!(status == 200 && text.contains("api/v1/openapi.json"));
        assert_eq!(
            ask(&router, "PUT", "/portal/disk/api/v1/me").await,
            (200, "PUT /api/v1/me".into())
        );
        assert!(
            ask(&router, "GET", "/portal/disk/setup")
                .await
                .1
                .contains("setup.js")
        );
        assert_eq!(ask(&router, "GET", "/api/v1/me").await.0, 404);
        assert_eq!(ask(&router, "GET", "/portal/diskette").await.0, 404);
    }
}
