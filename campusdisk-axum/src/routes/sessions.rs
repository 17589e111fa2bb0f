//! Where the caller is signed in.

use axum::Json as JsonAnswer;
use axum::extract::State;
use campusdisk_accounts::{Lifetime, Proof, Session};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::actor::{Caller, Scope};
use crate::error::{ProblemDocument, Result};
use crate::extract::{Query, Segments};
use crate::list::{Items, ListQuery};
use crate::state::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, end_others))
        .routes(routes!(end))
}

/// The caller's sessions that live, the newest first.
#[utoipa::path(
    get, path = "/api/v1/me/sessions", tag = "accounts",
    params(("limit" = Option<u32>, Query), ("after" = Option<String>, Query)),
    responses((status = 200, body = Items<SessionBody>), (status = 403, body = ProblemDocument)),
)]
async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<JsonAnswer<Items<SessionBody>>> {
    caller.require(Scope::Account)?;
    let principal = caller.principal()?;
    let sessions = state.accounts()?.sessions(&principal.account).await?;
    let sessions = sessions
        .iter()
        .map(|session| SessionBody::new(session, principal.proof))
        .collect();
    Ok(JsonAnswer(Items::of_all(sessions, &query, &state, |session| {
        &session.id
    })?))
}

/// Ends all sessions of the caller but the one that asks; asked with an app token, all.
#[utoipa::path(
    delete, path = "/api/v1/me/sessions", tag = "accounts",
    responses((status = 204), (status = 403, body = ProblemDocument)),
)]
async fn end_others(State(state): State<AppState>, caller: Caller) -> Result<StatusCode> {
    caller.require(Scope::Account)?;
    state.accounts()?.end_other_sessions(caller.principal()?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends one session of the caller.
#[utoipa::path(
    delete, path = "/api/v1/me/sessions/{id}", tag = "accounts", params(("id" = String, Path)),
    responses((status = 204), (status = 403, body = ProblemDocument), (status = 404, body = ProblemDocument)),
)]
async fn end(
    State(state): State<AppState>,
    caller: Caller,
    Segments(id): Segments<String>,
) -> Result<StatusCode> {
    caller.require(Scope::Account)?;
    state
        .accounts()?
        .end_session(&caller.principal()?.account, id.parse()?)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Somewhere an account is signed in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
struct SessionBody {
    /// Its id; not what the browser keeps.
    id: String,
    /// When its owner signed in.
    created: String,
    /// When it was last used, to within a minute.
    used: String,
    /// When it ends unless it is used before; a remembered one ends then in any case.
    expires: String,
    /// Whether it outlives the browser.
    remembered: bool,
    /// The address it was begun from.
    address: Option<String>,
    /// How the browser called itself then, cut to 256 bytes; null when it said nothing.
    user_agent: Option<String>,
    /// Whether it is the one that asks.
    current: bool,
}

impl SessionBody {
    fn new(session: &Session, asked_by: Proof) -> Self {
        let user_agent = session.device.user_agent.as_str();
        Self {
            id: session.id.to_string(),
            created: session.created.to_string(),
            used: session.seen.to_string(),
            expires: session.expires.to_string(),
            remembered: session.lifetime == Lifetime::Remembered,
            address: session.device.address.map(|address| address.to_string()),
            user_agent: (!user_agent.is_empty()).then(|| user_agent.to_owned()),
            current: asked_by == Proof::Session(session.hash),
        }
    }
}
