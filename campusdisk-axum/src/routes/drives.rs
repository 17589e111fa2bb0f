//! Drives.

use axum::Json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::actor::Reader;
use crate::error::Result;
use crate::list::Items;
use crate::state::AppState;
use crate::wire::DriveBody;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// The drives that the caller is a member of, their own first.
#[utoipa::path(get, path = "/api/v1/drives", tag = "files", responses((status = 200, body = Items<DriveBody>)))]
async fn list(Reader(desk): Reader) -> Result<Json<Items<DriveBody>>> {
    let drives = desk.drives().await?;
    Ok(Json(Items::all(
        drives
            .iter()
            .map(|(drive, role)| DriveBody::new(drive, *role))
            .collect(),
    )))
}
