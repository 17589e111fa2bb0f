//! Resumable uploads into a share that takes files in.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::{ProblemDocument, Result};
use crate::extract::Segments;
use crate::routes::visit::Guest;
use crate::state::AppState;
use crate::tus::{self, Uploads};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create, describe))
        .routes(routes!(look, append, terminate))
}

impl Guest {
    fn uploads(&self) -> Result<Uploads> {
        Ok(Uploads::Dropped(Box::new(self.visit.clone()), self.admit()?))
    }
}

/// Begins an upload into a share that takes files in (tus 1.0.0).
#[utoipa::path(
    post, path = "/s/{token}/uploads", tag = "visit", params(("token" = String, Path)),
    responses((status = 201), (status = 404, body = ProblemDocument)),
)]
async fn create(guest: Guest, headers: HeaderMap, body: Body) -> Result<Response> {
    tus::create::create(&guest.uploads()?, &headers, body).await
}

/// What the server speaks (tus 1.0.0).
#[utoipa::path(options, path = "/s/{token}/uploads", tag = "visit", params(("token" = String, Path)), responses((status = 204)))]
async fn describe(State(state): State<AppState>) -> Response {
    tus::describe(&state)
}

/// How far an upload is (tus 1.0.0).
#[utoipa::path(
    head, path = "/s/{token}/uploads/{id}", tag = "visit", params(("token" = String, Path), ("id" = String, Path)),
    responses((status = 200), (status = 404)),
)]
async fn look(
    guest: Guest,
    Segments((_token, id)): Segments<(String, String)>,
    headers: HeaderMap,
) -> Result<Response> {
    tus::look(&guest.uploads()?, &headers, id.parse()?).await
}

/// Brings more bytes (tus 1.0.0).
#[utoipa::path(
    patch, path = "/s/{token}/uploads/{id}", tag = "visit", params(("token" = String, Path), ("id" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemDocument), (status = 409, body = ProblemDocument)),
)]
async fn append(
    guest: Guest,
    Segments((_token, id)): Segments<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response> {
    tus::append(&guest.uploads()?, &headers, id.parse()?, body).await
}

/// Gives an upload up (tus 1.0.0).
#[utoipa::path(
    delete, path = "/s/{token}/uploads/{id}", tag = "visit", params(("token" = String, Path), ("id" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemDocument)),
)]
async fn terminate(
    guest: Guest,
    Segments((_token, id)): Segments<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode> {
    tus::terminate(&guest.uploads()?, &headers, id.parse()?).await
}
