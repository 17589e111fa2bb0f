//! Addresses that are for administrators, whatever of them is there: whoever else asks is told only that.

use axum::routing::any;
use utoipa_axum::router::OpenApiRouter;

use crate::actor::Caller;
use crate::error::{Problem, Result};
use crate::state::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    let mut routes = OpenApiRouter::new().route("/api/v1/admin/{*rest}", any(nothing_there));
    for address in ["/metrics", "/api/v1/insights", "/api/v1/insights/{*rest}"] {
        routes = routes.route(address, any(not_there_yet));
    }
    routes
}

async fn nothing_there(caller: Caller) -> Result<()> {
    caller.require_administrator()?;
    Err(Problem::not_found())
}

async fn not_there_yet(caller: Caller) -> Result<()> {
    caller.require_administrator()?;
    Err(Problem::not_implemented(
        "figures about the installation are not part of this version",
    ))
}
