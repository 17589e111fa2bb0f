//! Resumable uploads of one's own.

use axum::Json as JsonAnswer;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::actor::{Reader, Writer};
use crate::error::{ProblemDocument, Result};
use crate::extract::{Query, Segments};
use crate::list::{Items, ListQuery, read_plain_cursor};
use crate::state::AppState;
use crate::tus::{self, Uploads};
use crate::wire::UploadBody;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create, describe))
        .routes(routes!(look, append, terminate))
}

/// The caller's unfinished uploads.
#[utoipa::path(
    get, path = "/api/v1/uploads", tag = "uploads",
    params(("limit" = Option<u32>, Query), ("after" = Option<String>, Query)),
    responses((status = 200, body = Items<UploadBody>)),
)]
async fn list(
    State(state): State<AppState>,
    Reader(desk): Reader,
    Query(query): Query<ListQuery>,
) -> Result<JsonAnswer<Items<UploadBody>>> {
    let after = read_plain_cursor(query.after.as_deref())?;
    let page = desk.uploads(after, query.limit.items(&state)).await?;
    Ok(JsonAnswer(Items {
        items: page.items.iter().map(UploadBody::from).collect(),
        next: page.next.map(|id| id.to_string()),
    }))
}

/// Begins an upload (tus 1.0.0), or joins parts.
#[utoipa::path(
    post, path = "/api/v1/uploads", tag = "uploads",
    params(
        ("Tus-Resumable" = String, Header), ("Upload-Length" = Option<u64>, Header),
        ("Upload-Defer-Length" = Option<u32>, Header), ("Upload-Metadata" = Option<String>, Header),
        ("Upload-Concat" = Option<String>, Header), ("Upload-Checksum" = Option<String>, Header),
    ),
    request_body(content = String, content_type = "application/offset+octet-stream"),
    responses(
        (status = 201), (status = 400, body = ProblemDocument), (status = 404, body = ProblemDocument),
        (status = 409, body = ProblemDocument), (status = 412, body = ProblemDocument), (status = 413, body = ProblemDocument),
        (status = 415, body = ProblemDocument), (status = 422, body = ProblemDocument), (status = 460, body = ProblemDocument),
        (status = 507, body = ProblemDocument),
    ),
)]
async fn create(Writer(desk): Writer, headers: HeaderMap, body: Body) -> Result<Response> {
    tus::create::create(&Uploads::Own(desk), &headers, body).await
}

/// What the server speaks (tus 1.0.0).
#[utoipa::path(options, path = "/api/v1/uploads", tag = "uploads", responses((status = 204)))]
async fn describe(State(state): State<AppState>) -> Response {
    tus::describe(&state)
}

/// How far an upload is (tus 1.0.0).
#[utoipa::path(
    head, path = "/api/v1/uploads/{id}", tag = "uploads",
    params(("id" = String, Path), ("Tus-Resumable" = String, Header)),
    responses((status = 200), (status = 404), (status = 412)),
)]
async fn look(Writer(desk): Writer, Segments(id): Segments<String>, headers: HeaderMap) -> Result<Response> {
    tus::look(&Uploads::Own(desk), &headers, id.parse()?).await
}

/// Brings more bytes (tus 1.0.0).
#[utoipa::path(
    patch, path = "/api/v1/uploads/{id}", tag = "uploads",
    params(
        ("id" = String, Path), ("Tus-Resumable" = String, Header), ("Upload-Offset" = u64, Header),
        ("Upload-Length" = Option<u64>, Header), ("Upload-Checksum" = Option<String>, Header),
    ),
    request_body(content = String, content_type = "application/offset+octet-stream"),
    responses(
        (status = 204), (status = 400, body = ProblemDocument), (status = 403, body = ProblemDocument),
        (status = 404, body = ProblemDocument), (status = 409, body = ProblemDocument), (status = 412, body = ProblemDocument),
        (status = 413, body = ProblemDocument), (status = 415, body = ProblemDocument), (status = 460, body = ProblemDocument),
        (status = 507, body = ProblemDocument),
    ),
)]
async fn append(
    Writer(desk): Writer,
    Segments(id): Segments<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response> {
    tus::append(&Uploads::Own(desk), &headers, id.parse()?, body).await
}

/// Gives an upload up (tus 1.0.0).
#[utoipa::path(
    delete, path = "/api/v1/uploads/{id}", tag = "uploads",
    params(("id" = String, Path), ("Tus-Resumable" = String, Header)),
    responses((status = 204), (status = 404, body = ProblemDocument), (status = 412, body = ProblemDocument)),
)]
async fn terminate(
    Writer(desk): Writer,
    Segments(id): Segments<String>,
    headers: HeaderMap,
) -> Result<StatusCode> {
    tus::terminate(&Uploads::Own(desk), &headers, id.parse()?).await
}
