//! Shares as their makers see them.

use axum::Json as JsonAnswer;
use axum::extract::State;
use campusdisk_core::{NodeId, ShareFacts, SharePassword, ShareSpec};
use http::StatusCode;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::actor::Sharer;
use crate::error::{Problem, ProblemDocument, Result};
use crate::extract::{Json, Query, Segments};
use crate::list::{Items, Limit, read_plain_cursor};
use crate::state::AppState;
use crate::wire::time;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(list))
        .routes(routes!(revoke))
}

/// Shares a node under a link.
#[utoipa::path(
    post, path = "/api/v1/nodes/{id}/shares", tag = "shares", params(("id" = String, Path)), request_body = CreateBody,
    responses((status = 201, body = CreatedBody), (status = 404, body = ProblemDocument), (status = 422, body = ProblemDocument)),
)]
async fn create(
    Sharer(desk): Sharer,
    Segments(id): Segments<String>,
    Json(body): Json<CreateBody>,
) -> Result<(StatusCode, JsonAnswer<CreatedBody>)> {
    let mut spec = ShareSpec::default();
    spec.password = match body.password {
        None | Some(PasswordBody::Random(false)) => None,
        Some(PasswordBody::Random(true)) => Some(SharePassword::Random),
        Some(PasswordBody::Chosen(password)) => Some(SharePassword::Chosen(password)),
    };
    spec.expires = time("expires", body.expires.as_deref())?;
    spec.max_downloads = body.max_downloads;
    spec.networks = body
        .allow_from
        .unwrap_or_default()
        .iter()
        .map(|text| network(text))
        .collect::<Result<_>>()?;
    spec.drop = body.drop.unwrap_or_default();
    let (share, password) = desk.share(id.parse()?, spec).await?;
    let created = CreatedBody {
        id: share.id.to_string(),
        // From /api/v1/nodes/{id}/shares to /s/{token}, wherever all of that is mounted.
        url: format!("../../../../s/{}", share.token),
        token: share.token,
        password,
    };
    Ok((StatusCode::CREATED, JsonAnswer(created)))
}

/// The caller's shares that have not ended, newest first; `node` asks for those of one node.
#[utoipa::path(
    get, path = "/api/v1/shares", tag = "shares",
    params(("node" = Option<String>, Query), ("limit" = Option<u32>, Query), ("after" = Option<String>, Query)),
    responses((status = 200, body = Items<ShareBody>), (status = 400, body = ProblemDocument)),
)]
async fn list(
    State(state): State<AppState>,
    Sharer(desk): Sharer,
    Query(query): Query<SharesQuery>,
) -> Result<JsonAnswer<Items<ShareBody>>> {
    let before = read_plain_cursor(query.after.as_deref())?;
    let page = desk.shares(query.node, before, query.limit.items(&state)).await?;
    Ok(JsonAnswer(Items {
        items: page.items.iter().map(ShareBody::from).collect(),
        next: page.next.map(|id| id.to_string()),
    }))
}

/// Ends a share.
#[utoipa::path(
    delete, path = "/api/v1/shares/{id}", tag = "shares", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemDocument)),
)]
async fn revoke(Sharer(desk): Sharer, Segments(id): Segments<String>) -> Result<StatusCode> {
    desk.revoke(id.parse()?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A network in CIDR notation, or one address.
///
/// # Errors
/// 422.
fn network(text: &str) -> Result<IpNet> {
    let text = text.trim();
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map(|network| network.trunc())
        .map_err(|_| Problem::invalid("allow_from", "has an item that is no network such as 10.0.0.0/8"))
}

#[derive(Debug, Default, Deserialize)]
struct SharesQuery {
    node: Option<NodeId>,
    #[serde(default)]
    limit: Limit,
    after: Option<String>,
}

/// The conditions of a share.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewShare)]
#[serde(deny_unknown_fields)]
struct CreateBody {
    /// `true` for a random password, or the password.
    password: Option<PasswordBody>,
    /// When it ends by itself.
    expires: Option<String>,
    /// How many downloads it allows.
    max_downloads: Option<u32>,
    /// From which networks it answers.
    allow_from: Option<Vec<String>>,
    /// Whether visitors put files in instead of reading.
    drop: Option<bool>,
}

#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
enum PasswordBody {
    Random(bool),
    Chosen(String),
}

impl std::fmt::Debug for PasswordBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordBody(…)")
    }
}

/// A share just made.
#[derive(Debug, Serialize, ToSchema)]
struct CreatedBody {
    /// Its id.
    id: String,
    /// Its link, relative to the request's address.
    url: String,
    /// What the link carries.
    token: String,
    /// Its password, where a random one was made; told only here.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

/// A share of the caller's.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Share)]
struct ShareBody {
    /// Its id.
    id: String,
    /// Its link, relative to the request's address.
    url: String,
    /// The node it shares.
    node: String,
    /// That node's name; null when it was deleted just now.
    name: Option<String>,
    /// Whether visitors have to know a password.
    needs_password: bool,
    /// When it ends by itself.
    expires: Option<String>,
    /// How many downloads it allows.
    max_downloads: Option<u32>,
    /// How many there were.
    downloads: u64,
    /// From which networks it answers; empty is from everywhere.
    allow_from: Vec<String>,
    /// Whether visitors put files in.
    drop: bool,
    /// When it was made.
    created: String,
}

impl From<&ShareFacts> for ShareBody {
    fn from(facts: &ShareFacts) -> Self {
        let share = &facts.share;
        Self {
            id: share.id.to_string(),
            url: format!("../../s/{}", share.token),
            node: share.node.to_string(),
            name: facts.node.as_ref().map(|node| node.name.as_str().to_owned()),
            needs_password: share.password.is_some(),
            expires: share.expires.map(|expires| expires.to_string()),
            max_downloads: share.max_downloads,
            downloads: share.downloads,
            allow_from: share.networks.iter().map(ToString::to_string).collect(),
            drop: share.drop,
            created: share.created.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_in_cidr_notation_or_as_one_address() {
        for (text, network_text) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("192.0.2.7", "192.0.2.7/32"),
            (" 2001:db8::/32 ", "2001:db8::/32"),
            ("::1", "::1/128"),
            ("0.0.0.0/0", "0.0.0.0/0"),
        ] {
            assert_eq!(network(text).unwrap().to_string(), network_text);
        }
        for text in [
            "",
            "10.0.0.0/33",
            "10.0.0/8",
            "example.edu",
            "10.0.0.0-10.0.0.9",
            "10.0.0.0/",
        ] {
            assert_eq!(network(text).unwrap_err().status().as_u16(), 422, "{text}");
        }
    }
}
