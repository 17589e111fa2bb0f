//! The plain pages of a hall that was built without the app: what runs, where the API is, and how the first administrator
//! is made.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use http::header;

use super::{Answers, escape, guard};
use crate::brand::{self, Brand};
use crate::config::Config;
use crate::site::Site;

const HOME: &str = include_str!("plain/home.html");
const SETUP: &str = include_str!("plain/setup.html");
const SETUP_SCRIPT: &str = include_str!("plain/setup.js");

const POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'";

/// The API with the plain pages beside it.
pub(super) fn around(api: impl Answers, _: &Config, site: Arc<Site>, brand: Brand) -> Router {
    let page = |text: &'static str| {
        let site = site.clone();
        move || async move {
            let text = text
                .replace("NAME", &escape(&site.face().name))
                .replace("VERSION", env!("CARGO_PKG_VERSION"));
            guarded(Html(text).into_response())
        }
    };
    let script = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")];
    let script = move || async move { guarded((script, SETUP_SCRIPT).into_response()) };
    Router::new()
        .route("/", get(page(HOME)).fallback_service(api.clone()))
        .route("/setup", get(page(SETUP)).fallback_service(api.clone()))
        .route("/setup.js", get(script).fallback_service(api.clone()))
        .fallback_service(api)
        .layer(from_fn_with_state(Arc::new(brand), of_brand))
}

/// The plain pages show neither; that they are there depends on the configuration only.
async fn of_brand(State(brand): State<Arc<Brand>>, request: Request, next: Next) -> Response {
    match brand.find(request.uri().path()) {
        Some(mut response) if request.method().is_safe() => {
            guard(&mut response, brand::POLICY, "no-cache");
            response
        }
        _ => next.run(request).await,
    }
}

fn guarded(mut response: Response) -> Response {
    guard(&mut response, POLICY, "no-cache");
    response
}
