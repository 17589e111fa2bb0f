//! Search by name.

use axum::Json as JsonAnswer;
use axum::extract::State;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::actor::Reader;
use crate::error::{Problem, ProblemDocument, Result};
use crate::extract::Query;
use crate::list::{Items, Limit, read_name_cursor, write_name_cursor};
use crate::routes::nodes::category;
use crate::state::AppState;
use crate::wire::NodeBody;

/// Longest text to search for, in bytes: no name is longer.
const MAX_TEXT_BYTES: usize = 255;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(search))
}

/// Nodes of the caller's drives whose name contains a text, whatever the case.
#[utoipa::path(
    get, path = "/api/v1/search", tag = "files",
    params(
        ("q" = String, Query), ("category" = Option<String>, Query), ("limit" = Option<u32>, Query),
        ("after" = Option<String>, Query),
    ),
    responses((status = 200, body = Items<NodeBody>), (status = 400, body = ProblemDocument)),
)]
async fn search(
    State(state): State<AppState>,
    Reader(desk): Reader,
    Query(query): Query<SearchQuery>,
) -> Result<JsonAnswer<Items<NodeBody>>> {
    if query.q.len() > MAX_TEXT_BYTES {
        return Err(Problem::bad_request(format!(
            "q is longer than {MAX_TEXT_BYTES} bytes"
        )));
    }
    let after = query.after.as_deref().map(read_name_cursor).transpose()?;
    let category = category(query.category.as_deref())?;
    let page = desk
        .search(&query.q, category, after, query.limit.items(&state))
        .await?;
    Ok(JsonAnswer(Items {
        items: page.items.iter().map(NodeBody::from).collect(),
        next: page.next.map(|(name, id)| write_name_cursor(&name, id)),
    }))
}

#[derive(Debug, Deserialize)]
struct SearchQuery {
    q: String,
    category: Option<String>,
    #[serde(default)]
    limit: Limit,
    after: Option<String>,
}
