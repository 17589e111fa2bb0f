//! What happens around every request: method override, refusals that need no route, limits on rest, request ids, problems.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use campusdisk_core::{Error, ErrorKind};
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{HeaderName, HeaderValue, StatusCode, header};
use http_body::Body as _;
use tower::{Service, ServiceExt};

use crate::body::{Linger, RequestBody};
use crate::error::{Problem, Result};
use crate::method::{self, Sent};
use crate::options::HttpOptions;
use crate::origin;
use crate::routes::content;
use crate::state::AppState;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The whole API: the routes with the edge around them. A cheap handle; every clone is ready at once.
#[derive(Clone, Debug)]
pub struct Api {
    routes: Router,
    state: AppState,
}

impl Service<Request> for Api {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let api = self.clone();
        Box::pin(async move { Ok(api.answer(request).await) })
    }
}

impl Api {
    pub(crate) fn new(routes: Router, state: AppState) -> Self {
        Self { routes, state }
    }

    async fn answer(&self, mut request: Request) -> Response {
        let state = &self.state;
        let id = format!("{:032x}", state.ids().random());
        let (sent, response) = match prepare(&mut request, state.options()) {
            Ok(sent) => match AssertUnwindSafe(self.route(request)).catch_unwind().await {
                Ok(response) => (sent, response),
                // The panic hook has told the log; the client is told that it is our fault.
                Err(_) => (sent, Problem::from(fault()).into_response()),
            },
            Err(problem) => (Sent::by(request.method()), problem.into_response()),
        };
        if let Some(problem) = response.extensions().get::<Problem>() {
            problem.log(&id, state.disk().is_stopping());
        }
        finish(response, sent, &id)
    }

    /// Downloads are most of all requests, and small ones cost little else than the table of routes, so it is not asked for those.
    async fn route(&self, request: Request) -> Response {
        match content::node_to_download(&request) {
            Some(node) => content::download_directly(&self.state, node, request)
                .await
                .into_response(),
            None => match self.routes.clone().oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            },
        }
    }
}

fn fault() -> Error {
    Error::new(ErrorKind::Internal, "a handler panicked")
}

fn prepare(request: &mut Request, options: &HttpOptions) -> Result<Sent> {
    limit_body(request, options);
    let sent = method::apply_override(request)?;
    check_encoding(request)?;
    origin::check_ambient(request.method(), request.uri(), request.headers())?;
    Ok(sent)
}

fn limit_body(request: &mut Request, options: &HttpOptions) {
    // Whoever asks first sends nothing until told to go on, and reading would tell them.
    let asks_first = request.headers().contains_key(header::EXPECT);
    let linger = Linger {
        max_bytes: options.linger_bytes,
        time: options.linger_time,
    };
    let body = std::mem::take(request.body_mut());
    let linger = (!asks_first).then_some(linger);
    *request.body_mut() = RequestBody::limit(body, options.request_idle, linger);
}

/// RFC 9110 §15.5.16: we take no coded bodies, and say which we take.
fn check_encoding(request: &Request) -> Result<()> {
    let coded = |value: &HeaderValue| !value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity");
    if request
        .headers()
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(coded)
    {
        return Err(
            Problem::unsupported_media_type("a body has to come without Content-Encoding")
                .with_header(header::ACCEPT_ENCODING, HeaderValue::from_static("identity")),
        );
    }
    Ok(())
}

fn finish(response: Response, sent: Sent, id: &str) -> Response {
    let mut response = match problem_of(&response) {
        Some(problem) => {
            let mut rendered = problem.render(id);
            let mut headers = response.headers().clone();
            headers.remove(header::CONTENT_LENGTH);
            headers.remove(header::CONTENT_TYPE);
            rendered.headers_mut().extend(headers);
            rendered
        }
        None => response,
    };
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response.headers_mut().insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    method::fit(sent, &mut response);
    response
}

/// The problem that an answer is, whether a handler said so or the router refused by itself.
fn problem_of(response: &Response) -> Option<Problem> {
    if let Some(problem) = response.extensions().get::<Problem>() {
        return Some(problem.clone());
    }
    let status = response.status();
    let said_nothing =
        response.body().is_end_stream() && !response.headers().contains_key(header::CONTENT_TYPE);
    match status {
        StatusCode::METHOD_NOT_ALLOWED if said_nothing => Some(Problem::new(
            status,
            "method_not_allowed",
            "this address does not know the method",
        )),
        _ => None,
    }
}
