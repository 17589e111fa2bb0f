//! Whether the process lives and its parts are there.

use axum::Json as JsonAnswer;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::actor::Anybody;
use crate::client::Client;
use crate::error::Result;
use crate::probe::Probe;
use crate::state::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(healthz))
        .routes(routes!(readyz))
}

/// Whether the process lives.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, body = HealthBody)))]
async fn healthz() -> JsonAnswer<HealthBody> {
    JsonAnswer(HealthBody {
        status: "ok",
        parts: None,
    })
}

/// Whether every required part is there. Which are, only administrators and this machine are told.
#[utoipa::path(
    get, path = "/readyz", tag = "health",
    responses((status = 200, body = HealthBody), (status = 503, body = HealthBody)),
)]
async fn readyz(
    State(state): State<AppState>,
    client: Client,
    caller: Result<Anybody>,
) -> (StatusCode, JsonAnswer<HealthBody>) {
    let checks = state.probes().iter().map(|probe| check(&state, probe));
    let parts = futures::future::join_all(checks).await;
    let ready = parts.iter().all(|part| part.up || !part.required);
    // Who can't prove anything now is told as much as a stranger: the part that knows may be the one that is down.
    let administrator = caller
        .ok()
        .and_then(|Anybody(caller)| caller)
        .is_some_and(|caller| caller.require_administrator().is_ok());
    let detailed = administrator || client.address.is_loopback();
    let (status, word) = match ready {
        true => (StatusCode::OK, "ok"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "down"),
    };
    (
        status,
        JsonAnswer(HealthBody {
            status: word,
            parts: detailed.then_some(parts),
        }),
    )
}

async fn check(state: &AppState, probe: &Arc<dyn Probe>) -> PartBody {
    let outcome = tokio::time::timeout(state.options().ready_timeout, probe.check()).await;
    let detail = match outcome {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some("no answer in time".to_owned()),
    };
    PartBody {
        name: probe.name().to_owned(),
        required: probe.required(),
        up: detail.is_none(),
        detail,
    }
}

/// How it stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Health)]
struct HealthBody {
    /// `ok` or `down`.
    status: &'static str,
    /// Each part.
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<Vec<PartBody>>,
}

/// How a part stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HealthPart)]
struct PartBody {
    /// What it is called.
    name: String,
    /// Whether the whole is down without it.
    required: bool,
    /// Whether it works.
    up: bool,
    /// Why it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}
