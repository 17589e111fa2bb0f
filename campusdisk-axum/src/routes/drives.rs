//! Drives.

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::actor::Reader;
use crate::error::{ProblemDocument, Result};
use crate::extract::Query;
use crate::list::{Items, ListQuery};
use crate::state::AppState;
use crate::wire::DriveBody;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// The drives that the caller is a member of, their own first.
#[utoipa::path(
    get, path = "/api/v1/drives", tag = "files",
    params(("limit" = Option<u32>, Query), ("after" = Option<String>, Query)),
    responses((status = 200, body = Items<DriveBody>), (status = 400, body = ProblemDocument)),
)]
async fn list(
    State(state): State<AppState>,
    Reader(desk): Reader,
    Query(query): Query<ListQuery>,
) -> Result<Json<Items<DriveBody>>> {
    let drives = desk.drives().await?;
    let drives = drives
        .iter()
        .map(|(drive, role)| DriveBody::new(drive, *role))
        .collect();
    Ok(Json(Items::of_all(drives, &query, &state, |drive| &drive.id)?))
}
