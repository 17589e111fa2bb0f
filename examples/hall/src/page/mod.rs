//! What browsers see: the app, where it is built in (feature `page`), else plain pages.

#[cfg(feature = "page")]
mod app;
#[cfg(feature = "page")]
mod files;
#[cfg(not(feature = "page"))]
mod plain;
#[cfg(test)]
mod tests;

#[cfg(feature = "page")]
use app as pages;
#[cfg(not(feature = "page"))]
use plain as pages;

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use tower::Service;
use tower::util::Either;

use crate::brand::Brand;
use crate::config::Config;
use crate::site::Site;

/// What answers requests. Every clone is ready at once.
pub(crate) trait Answers:
    Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static
{
}

impl<S> Answers for S where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// Puts the API and the pages under the configured prefix.
pub(crate) fn mount<Api: Answers>(
    api: Api,
    config: &Config,
    site: Arc<Site>,
    brand: Brand,
) -> impl Answers + use<Api> {
    let prefix = &config.http.prefix;
    let pages = pages::around(api, config, site, brand);
    if prefix.is_empty() {
        // Without a router around them: each costs every request a little.
        return Either::Left(pages);
    }
    // Links of the pages are relative, so they lie at the path that ends with a slash. The place without it only knows that
    // its last step is the prefix's last step.
    let bare = prefix.clone();
    let add_slash = move |request: Request, next: Next| {
        let last = (request.uri().path() == bare && request.method().is_safe())
            .then(|| format!("{}/", bare.rsplit('/').next().unwrap_or_default()));
        async move {
            match last {
                Some(last) => Redirect::permanent(&last).into_response(),
                None => next.run(request).await,
            }
        }
    };
    let nested = Router::new()
        .nest_service(prefix, pages)
        .layer(axum::middleware::from_fn(add_slash))
        .fallback(|| async { nothing_here() });
    Either::Right(nested)
}

/// Headers that every page has: nothing of it comes from another host, nothing of it is shown within another page.
fn guard(response: &mut Response, policy: &'static str, caching: &'static str) {
    let guards: [(HeaderName, &'static str); 4] = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, caching),
    ];
    for (name, value) in guards {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
}

/// Text that can't become markup, in an element or between double quotes.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
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
