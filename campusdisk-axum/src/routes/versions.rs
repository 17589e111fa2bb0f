//! The contents that a file had.

use axum::Json as JsonAnswer;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::actor::{Reader, Writer};
use crate::error::{Problem, ProblemDocument, Result};
use crate::extract::{Query, Segments};
use crate::list::{Items, ListQuery, read_plain_cursor};
use crate::routes::nodes::node_answer;
use crate::state::AppState;
use crate::wire::{NodeBody, VersionBody};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(restore))
}

/// The contents of a file, newest first.
#[utoipa::path(
    get, path = "/api/v1/nodes/{id}/versions", tag = "files",
    params(("id" = String, Path), ("limit" = Option<u32>, Query), ("after" = Option<String>, Query)),
    responses((status = 200, body = Items<VersionBody>), (status = 404, body = ProblemDocument)),
)]
async fn list(
    State(state): State<AppState>,
    Reader(desk): Reader,
    Segments(id): Segments<String>,
    Query(query): Query<ListQuery>,
) -> Result<JsonAnswer<Items<VersionBody>>> {
    let before = read_plain_cursor(query.after.as_deref())?;
    let page = desk
        .versions(id.parse()?, before, query.limit.items(&state))
        .await?;
    Ok(JsonAnswer(Items {
        items: page
            .items
            .iter()
            .map(|(version, content)| VersionBody::new(version, content.as_deref()))
            .collect(),
        next: page.next.map(|number| number.to_string()),
    }))
}

/// Makes an earlier content the present one, as a new version.
#[utoipa::path(
    post, path = "/api/v1/nodes/{id}/versions/{number}/restore", tag = "files",
    params(("id" = String, Path), ("number" = u64, Path)),
    responses((status = 200, body = NodeBody), (status = 404, body = ProblemDocument), (status = 507, body = ProblemDocument)),
)]
async fn restore(
    Writer(desk): Writer,
    Segments((id, number)): Segments<(String, String)>,
) -> Result<Response> {
    let number = number.parse().map_err(|_| Problem::not_found())?;
    let node = desk.restore_version(id.parse()?, number).await?;
    node_answer(&desk, StatusCode::OK, &node).await
}
