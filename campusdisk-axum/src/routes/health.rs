//! Whether the process lives, its parts are there, and how they are.

use axum::Json as JsonAnswer;
use axum::extract::State;
use campusdisk_core::storage::{Figure, HealthFacts};
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

/// Whether every required part is there, and the stores among them take new bytes. Which do, and how the parts are, only
/// administrators and this machine are told.
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
    let (facts, detail) = match outcome {
        Ok(Ok(facts)) if facts.takes_bytes => (facts, None),
        Ok(Ok(facts)) => {
            let reasons = facts.reasons.join("; ");
            (facts, Some(format!("it takes no new bytes: {reasons}")))
        }
        Ok(Err(error)) => (HealthFacts::well(), Some(error.to_string())),
        Err(_) => (HealthFacts::well(), Some("no answer in time".to_owned())),
    };
    PartBody {
        name: probe.name().to_owned(),
        required: probe.required(),
        up: detail.is_none(),
        detail,
        read_only: !facts.takes_bytes,
        reasons: facts.reasons,
        free_bytes: facts.free_bytes,
        total_bytes: facts.total_bytes,
        figures: facts.figures.iter().map(FigureBody::of).collect(),
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
    /// Whether it answers, but takes no new bytes; it is not up then. Left out where it is not so.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    read_only: bool,
    /// What is not well, also of a part that works; left out where nothing is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    reasons: Vec<String>,
    /// How many more bytes a store has room for, where it knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    free_bytes: Option<u64>,
    /// How many bytes a store has room for in all, where it knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    total_bytes: Option<u64>,
    /// Numbers that the part tells of itself; left out where it tells none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    figures: Vec<FigureBody>,
}

/// A number that a part tells of itself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HealthFigure)]
struct FigureBody {
    /// What is counted, such as `live_nodes`.
    name: &'static str,
    /// How many there are.
    value: u64,
}

impl FigureBody {
    fn of(figure: &Figure) -> Self {
        Self {
            name: figure.name,
            value: figure.value,
        }
    }
}
