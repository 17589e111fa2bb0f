//! The app: its files, and its one document for every place that is a page of it.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use campusdisk_accounts::Registration;
use campusdisk_axum::keep_headers_only;
use futures::FutureExt as _;
use futures::future::{self, BoxFuture, Either};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde::Serialize;
use tower::util::Oneshot;
use tower::{Service, ServiceExt as _};

use super::files::{self, File};
use super::{Answers, escape, guard};
use crate::brand::{self, Brand};
use crate::config::Config;
use crate::site::{Language, Site};

/// Scripts are files of this host, nothing else. Styles too: Vue and Element Plus set theirs through the object model,
/// which the policy does not forbid. Frames and media show what the hall itself serves (a PDF, a film).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; \
     media-src 'self' blob:; frame-src 'self' blob:; connect-src 'self'; worker-src 'self'; manifest-src 'self'; \
     form-action 'self'; base-uri 'self'; frame-ancestors 'none'";

/// The name in a browser's cookies that says that somebody may be signed in; the contract fixes it.
const SESSION_COOKIE: &str = "campusdisk_session=";

/// The API with the app around it.
pub(super) fn around<Api: Answers>(api: Api, config: &Config, site: Arc<Site>, brand: Brand) -> App<Api> {
    let document = Arc::new(Document::new(config, site, brand));
    App { document, api }
}

/// The API with the app around it: a service and not a layer, and no future of its own around the API's, so that what is asked of
/// the API costs nothing more.
#[derive(Clone)]
pub(super) struct App<Api> {
    document: Arc<Document>,
    api: Api,
}

impl<Api: Answers> Service<Request> for App<Api> {
    type Response = Response;
    type Error = Infallible;
    type Future = Either<Oneshot<Api, Request>, BoxFuture<'static, Result<Response, Infallible>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let api = self.api.clone();
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Either::Left(api.oneshot(request));
        }
        let (path, headers) = (request.uri().path(), request.headers());
        let is_head = *request.method() == Method::HEAD;
        let fitted = move |mut response: Response| {
            if is_head {
                keep_headers_only(&mut response);
            }
            response
        };
        let at_once = |response| Either::Right(future::ready(Ok(fitted(response))).boxed());
        if let Some(mut response) = self.document.brand.find(path) {
            guard(&mut response, brand::POLICY, files::FOR_EVER);
            return at_once(response);
        }
        match place(path, headers) {
            Place::Api => Either::Left(api.oneshot(request)),
            Place::File(file) => {
                let mut response = file.answer(headers);
                guard(&mut response, POLICY, file.caching());
                at_once(response)
            }
            Place::Page => at_once(self.document.answer(path, headers)),
            Place::Visit => {
                let (document, path, headers) = (self.document.clone(), path.to_owned(), headers.clone());
                let visit = async move {
                    let facts = api.oneshot(request).await?;
                    Ok(fitted(document.visit(&path, &headers, &facts)))
                };
                Either::Right(visit.boxed())
            }
        }
    }
}

/// Who answers a GET.
#[derive(Debug)]
enum Place {
    Api,
    File(&'static File),
    Page,
    /// A share in a browser: the API says whether there is one and lets the visitor in, the app shows it.
    Visit,
}

/// Paths that are never a page, whoever asks.
const OF_THE_API: [&str; 6] = ["api", "dav", "healthz", "metrics", "readyz", "assets"];

fn place(path: &str, headers: &HeaderMap) -> Place {
    if let Some(file) = files::find(path) {
        return Place::File(file);
    }
    let mut steps = path.trim_start_matches('/').splitn(3, '/');
    match [steps.next(), steps.next(), steps.next()] {
        [Some("" | "setup"), None, _] => Place::Page,
        [Some("s"), Some(_token), None] if is_browser(headers) => Place::Visit,
        [Some("s"), ..] => Place::Api,
        [Some(first), ..] if is_browser(headers) && !OF_THE_API.contains(&first) => Place::Page,
        _ => Place::Api,
    }
}

/// Whether the request comes from an address bar or a link, and not from a program.
fn is_browser(headers: &HeaderMap) -> bool {
    let mut accepts = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    accepts.any(|accept| accept.contains("text/html") && !accept.contains("application/json"))
}

/// The one document of the app: what its marks are replaced with depends on the request.
#[derive(Debug)]
struct Document {
    built: &'static str,
    brand: Brand,
    site: Arc<Site>,
    registration: bool,
}

/// What the app is told; `HallFacts` in the page.
#[derive(Clone, Debug, Serialize)]
struct Facts {
    name: String,
    language: Option<Language>,
    fixed: Vec<&'static str>,
    logo: Option<String>,
    registration: bool,
    session: bool,
}

pub(super) const LANGUAGE: &str = "<html lang=\"en\">";
pub(super) const BASE: &str = "<base href=\"/\" />";
pub(super) const FACTS: &str = "<meta name=\"hall\" content=\"{}\" />";
pub(super) const ICON: &str = "<link rel=\"icon\" href=\"./favicon.svg\" type=\"image/svg+xml\" />";
pub(super) const END: &str = "</head>";
pub(super) const TITLE: &str = "<title>CampusDisk</title>";

impl Document {
    fn new(config: &Config, site: Arc<Site>, brand: Brand) -> Self {
        Self {
            built: files::index(),
            brand,
            site,
            registration: config.accounts.registration == Registration::Open,
        }
    }

    /// The logo, where there is one, also stands for the hall among the browser's tabs.
    fn icon(&self) -> String {
        match self.brand.logo_path() {
            Some(path) => format!("<link rel=\"icon\" href=\"./{path}\" />"),
            None => ICON.to_owned(),
        }
    }

    /// The style of the university's own comes after the page's.
    fn style(&self) -> String {
        match self.brand.style_path() {
            Some(path) => format!("<link rel=\"stylesheet\" href=\"./{path}\" />{END}"),
            None => END.to_owned(),
        }
    }

    fn facts(&self, headers: &HeaderMap) -> Facts {
        let face = self.site.face();
        Facts {
            name: face.name,
            language: face.language,
            fixed: face.fixed,
            logo: self.brand.logo_path(),
            registration: self.registration,
            session: has_session(headers),
        }
    }

    /// The document with its marks replaced. A test makes sure that they are there.
    fn render(&self, facts: &Facts, base: &str) -> String {
        let language = facts.language.map_or("en", Language::as_str);
        // Strings and truth values always serialise.
        let told = escape(&serde_json::to_string(facts).unwrap_or_default());
        self.built
            .replacen(LANGUAGE, &format!("<html lang=\"{language}\">"), 1)
            .replacen(BASE, &format!("<base href=\"{base}\" />"), 1)
            .replacen(ICON, &self.icon(), 1)
            .replacen(END, &self.style(), 1)
            .replacen(TITLE, &format!("<title>{}</title>", escape(&facts.name)), 1)
            .replacen(FACTS, &format!("<meta name=\"hall\" content=\"{told}\" />"), 1)
    }

    fn answer(&self, path: &str, headers: &HeaderMap) -> Response {
        // Relative, so that it is right behind a proxy that puts the hall below a path of its own.
        let depth = path.matches('/').count().saturating_sub(1);
        let base = match depth {
            0 => "./".to_owned(),
            depth => "../".repeat(depth),
        };
        let text = self.render(&self.facts(headers), &base);
        let tag = format!("\"{}\"", files::digest(&text));
        if files::is_known(headers, &tag) {
            return self.guarded(files::not_modified(&tag));
        }
        let mut response = Response::new(Body::from(text));
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, html);
        if let Ok(tag) = HeaderValue::try_from(tag) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        self.guarded(response)
    }

    /// The document for a share, with the status and the cookie that the API answers with.
    fn visit(&self, path: &str, headers: &HeaderMap, facts: &Response) -> Response {
        let mut unconditional = headers.clone();
        unconditional.remove(header::IF_NONE_MATCH);
        let mut response = self.answer(path, &unconditional);
        *response.status_mut() = match facts.status() {
            status if status.is_redirection() => StatusCode::OK,
            status => status,
        };
        for name in [header::SET_COOKIE, header::RETRY_AFTER] {
            for value in facts.headers().get_all(&name) {
                response.headers_mut().append(&name, value.clone());
            }
        }
        response.headers_mut().remove(header::ETAG);
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    fn guarded(&self, mut response: Response) -> Response {
        guard(&mut response, POLICY, "no-cache");
        let vary = HeaderValue::from_static("accept, cookie");
        response.headers_mut().insert(header::VARY, vary);
        response
    }
}

fn has_session(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .any(|pair| pair.trim_start().starts_with(SESSION_COOKIE))
}
