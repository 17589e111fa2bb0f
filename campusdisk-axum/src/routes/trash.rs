//! The trash.

use axum::Json as JsonAnswer;
use axum::extract::State;
use axum::response::Response;
use campusdisk_core::Restore;
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::actor::{Reader, Writer};
use crate::error::{ProblemDocument, Result};
use crate::extract::{OptionalJson, Query, Segments};
use crate::list::{Items, ListQuery, read_time_cursor, write_time_cursor};
use crate::routes::nodes::node_answer;
use crate::state::AppState;
use crate::wire::NodeBody;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, empty))
        .routes(routes!(purge))
        .routes(routes!(restore))
}

/// What lies in the trash, latest first, with the time it will be purged.
#[utoipa::path(
    get, path = "/api/v1/trash", tag = "trash",
    params(("limit" = Option<u32>, Query), ("after" = Option<String>, Query)),
    responses((status = 200, body = Items<NodeBody>)),
)]
async fn list(
    State(state): State<AppState>,
    Reader(desk): Reader,
    Query(query): Query<ListQuery>,
) -> Result<JsonAnswer<Items<NodeBody>>> {
    let after = query.after.as_deref().map(read_time_cursor).transpose()?;
    let page = desk.trashed(after, query.limit.items(&state)).await?;
    Ok(JsonAnswer(Items {
        items: page.items.iter().map(NodeBody::from).collect(),
        next: page.next.map(|(at, id)| write_time_cursor(at, id)),
    }))
}

/// Takes a node out of the trash; into the drive's root when its folder is gone.
#[utoipa::path(
    post, path = "/api/v1/trash/{id}/restore", tag = "trash", params(("id" = String, Path)), request_body = RestoreBody,
    responses((status = 200, body = NodeBody), (status = 404, body = ProblemDocument), (status = 409, body = ProblemDocument)),
)]
async fn restore(
    Writer(desk): Writer,
    Segments(id): Segments<String>,
    OptionalJson(body): OptionalJson<RestoreBody>,
) -> Result<Response> {
    let conflict = match body.on_conflict {
        OnConflictBody::Fail => Restore::Fail,
        OnConflictBody::Rename => Restore::Rename,
    };
    let node = desk.restore(id.parse()?, conflict).await?;
    node_answer(&desk, StatusCode::OK, &node).await
}

/// Removes a trashed node for good.
#[utoipa::path(
    delete, path = "/api/v1/trash/{id}", tag = "trash", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemDocument)),
)]
async fn purge(Writer(desk): Writer, Segments(id): Segments<String>) -> Result<StatusCode> {
    desk.purge(id.parse()?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes everything in the trash for good.
#[utoipa::path(delete, path = "/api/v1/trash", tag = "trash", responses((status = 204)))]
async fn empty(Writer(desk): Writer) -> Result<StatusCode> {
    desk.empty_trash().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How to restore.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RestoreBody {
    /// What to do when the name is taken; `fail` without it.
    #[serde(default)]
    on_conflict: OnConflictBody,
}

/// What to do when the name is taken.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum OnConflictBody {
    /// 409.
    #[default]
    Fail,
    /// The next free name.
    Rename,
}
