//! The bytes of files, out and in.

use axum::Json as JsonAnswer;
use axum::extract::{FromRequestParts, Request, State};
use axum::response::Response;
use campusdisk_core::{Desk, EntryName, ErrorKind, NodeId, Place};
use http::{HeaderMap, Method, StatusCode};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::actor::{Reader, Writer};
use crate::client::Client;
use crate::content::{self, ContentQuery};
use crate::error::{Problem, ProblemDocument, Result, is_of_storage};
use crate::extract::{Json, Query, Segments};
use crate::routes::nodes::{facts, node_answer, set_location};
use crate::state::AppState;
use crate::wire::{NodeBody, entry_name};
use crate::{conditional, put};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(download, replace))
        .routes(routes!(child, put_child))
        .routes(routes!(offer_archive))
        .routes(routes!(archive))
}

/// The bytes of a file, or of a folder as a ZIP archive.
#[utoipa::path(
    get, path = "/api/v1/nodes/{id}/content", tag = "files",
    params(
        ("id" = String, Path), ("inline" = Option<String>, Query, description = "to be shown"),
        ("download" = Option<String>, Query, description = "to be saved"), ("Range" = Option<String>, Header),
        ("If-Range" = Option<String>, Header), ("If-None-Match" = Option<String>, Header),
    ),
    responses(
        (status = 200, content_type = "application/octet-stream", body = String), (status = 206), (status = 304),
        (status = 404, body = ProblemDocument), (status = 412, body = ProblemDocument),
        (status = 413, body = ProblemDocument), (status = 416, body = ProblemDocument),
    ),
)]
async fn download(
    State(state): State<AppState>,
    Reader(desk): Reader,
    client: Client,
    Segments(id): Segments<String>,
    Query(query): Query<ContentQuery>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response> {
    send(&state, &desk, client, id.parse()?, &query, &method, &headers).await
}

/// The node that a GET asks for the bytes of, where the path shows it without the table of routes.
pub(crate) fn node_to_download(request: &Request) -> Option<NodeId> {
    let path = request.uri().path();
    let id = path.strip_prefix("/api/v1/nodes/")?.strip_suffix("/content")?;
    (request.method() == Method::GET).then(|| id.parse().ok())?
}

/// [`download`] of such a node.
pub(crate) async fn download_directly(state: &AppState, node: NodeId, request: Request) -> Result<Response> {
    let (mut parts, _) = request.into_parts();
    let Reader(desk) = Reader::from_request_parts(&mut parts, state).await?;
    let Ok(client) = Client::from_request_parts(&mut parts, state).await;
    let Query(query) = Query::from_request_parts(&mut parts, state).await?;
    send(state, &desk, client, node, &query, &parts.method, &parts.headers).await
}

async fn send(
    state: &AppState,
    desk: &Desk,
    client: Client,
    node: NodeId,
    query: &ContentQuery,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response> {
    match desk.download(node).await {
        Ok(download) => {
            let download = download.with_address(client.address);
            content::answer(state, &client, &download, method, headers, query).await
        }
        Err(error) if error.kind() == ErrorKind::InvalidInput => {
            let archive = desk.archive(node).await.map_err(archive_problem)?;
            let archive = archive.with_address(client.address);
            content::answer(state, &client, &archive, method, headers, query).await
        }
        Err(error) => Err(error.into()),
    }
}

/// Gives a file a new version.
#[utoipa::path(
    put, path = "/api/v1/nodes/{id}/content", tag = "files", params(("id" = String, Path)),
    request_body(content = String, content_type = "application/octet-stream"),
    responses(
        (status = 200, body = NodeBody), (status = 400, body = ProblemDocument), (status = 404, body = ProblemDocument),
        (status = 412, body = ProblemDocument), (status = 413, body = ProblemDocument), (status = 507, body = ProblemDocument),
    ),
)]
async fn replace(
    State(state): State<AppState>,
    Writer(desk): Writer,
    Segments(id): Segments<String>,
    request: Request,
) -> Result<Response> {
    let id: NodeId = id.parse()?;
    let (parts, body) = request.into_parts();
    let conditions = conditional::preconditions(&parts.headers, state.disk().now());
    if !conditions.is_empty() {
        put::check(&conditions, Some(&*desk.node(id).await?))?;
    }
    let options = put::options(&parts.headers, &conditions)?;
    let putting = desk.put_content(id, options).await.map_err(put::problem)?;
    let put = put::receive(putting, body).await?;
    node_answer(&desk, StatusCode::OK, &put.node).await
}

/// The node of a name in a folder.
#[utoipa::path(
    get, path = "/api/v1/nodes/{id}/children/{name}", tag = "files",
    params(("id" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = NodeBody), (status = 304), (status = 404, body = ProblemDocument)),
)]
async fn child(
    State(state): State<AppState>,
    Reader(desk): Reader,
    Segments((folder, name)): Segments<(String, String)>,
    headers: HeaderMap,
) -> Result<Response> {
    let name = entry_name(&name)?;
    let place = desk.child(folder.parse()?, &name).await?;
    facts(&state, &headers, &place)
}

/// Puts a file into a folder: a new one, or a new version of the one of that name.
#[utoipa::path(
    put, path = "/api/v1/nodes/{id}/children/{name}", tag = "files",
    params(("id" = String, Path), ("name" = String, Path), ("If-Match" = Option<String>, Header), ("If-None-Match" = Option<String>, Header)),
    request_body(content = String, content_type = "application/octet-stream"),
    responses(
        (status = 201, body = NodeBody), (status = 200, body = NodeBody), (status = 400, body = ProblemDocument),
        (status = 404, body = ProblemDocument), (status = 409, body = ProblemDocument), (status = 412, body = ProblemDocument),
        (status = 413, body = ProblemDocument), (status = 422, body = ProblemDocument), (status = 507, body = ProblemDocument),
    ),
)]
async fn put_child(
    State(state): State<AppState>,
    Writer(desk): Writer,
    Segments((folder, name)): Segments<(String, String)>,
    request: Request,
) -> Result<Response> {
    let (folder, name): (NodeId, _) = (folder.parse()?, entry_name(&name)?);
    let (parts, body) = request.into_parts();
    let conditions = conditional::preconditions(&parts.headers, state.disk().now());
    if !conditions.is_empty() {
        put::check(&conditions, existing(&desk, folder, &name).await?.as_deref())?;
    }
    let options = put::options(&parts.headers, &conditions)?;
    let putting = desk.put(folder, name, options).await.map_err(put::problem)?;
    let put = put::receive(putting, body).await?;
    if !put.created {
        return node_answer(&desk, StatusCode::OK, &put.node).await;
    }
    let mut response = node_answer(&desk, StatusCode::CREATED, &put.node).await?;
    set_location(&mut response, format!("../../{}", put.node.id));
    Ok(response)
}

/// Makes an address of a ZIP archive of several nodes, which serves its maker for a day.
#[utoipa::path(
    post, path = "/api/v1/archives", tag = "files", request_body = ArchiveBody,
    responses(
        (status = 201, body = OfferBody), (status = 400, body = ProblemDocument), (status = 404, body = ProblemDocument),
        (status = 413, body = ProblemDocument),
    ),
)]
async fn offer_archive(
    Reader(desk): Reader,
    Json(body): Json<ArchiveBody>,
) -> Result<(StatusCode, JsonAnswer<OfferBody>)> {
    let nodes = body.nodes.iter().map(|node| node.parse::<NodeId>());
    let nodes: Vec<_> = nodes.collect::<std::result::Result<_, _>>()?;
    let offer = desk.offer_archive(&nodes).await.map_err(archive_problem)?;
    // From the request's address, wherever all of that is mounted.
    let url = format!("archives/{offer}");
    Ok((StatusCode::CREATED, JsonAnswer(OfferBody { url })))
}

/// The archive of an address.
#[utoipa::path(
    get, path = "/api/v1/archives/{archive}", tag = "files", params(("archive" = String, Path), ("Range" = Option<String>, Header)),
    responses(
        (status = 200, content_type = "application/zip", body = String), (status = 206), (status = 304),
        (status = 404, body = ProblemDocument), (status = 412, body = ProblemDocument), (status = 413, body = ProblemDocument),
        (status = 416, body = ProblemDocument),
    ),
)]
async fn archive(
    State(state): State<AppState>,
    Reader(desk): Reader,
    client: Client,
    Segments(offer): Segments<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response> {
    let archive = desk.offered_archive(&offer).await.map_err(archive_problem)?;
    let archive = archive.with_address(client.address);
    content::answer(
        &state,
        &client,
        &archive,
        &method,
        &headers,
        &ContentQuery::default(),
    )
    .await
}

/// Too many nodes are no want of room.
pub(crate) fn archive_problem(error: campusdisk_core::Error) -> Problem {
    match error.kind() {
        ErrorKind::LimitExceeded if !is_of_storage(&error) => {
            Problem::from(error).with_status(StatusCode::PAYLOAD_TOO_LARGE)
        }
        _ => error.into(),
    }
}

/// What an archive is to hold.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ArchiveBody {
    /// The nodes.
    nodes: Vec<String>,
}

/// Where an archive is.
#[derive(Debug, Serialize, ToSchema)]
struct OfferBody {
    /// Its address, relative to that of the request.
    url: String,
}

async fn existing(desk: &Desk, folder: NodeId, name: &EntryName) -> Result<Option<Arc<Place>>> {
    match desk.child(folder, name).await {
        Ok(place) => Ok(Some(place)),
        // Who may not see the folder is not told about conditions.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            desk.node(folder).await?;
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn only_a_get_of_a_node_s_bytes_is_found_without_the_table() {
        let id = NodeId::from_u128(7);
        let found = |method: Method, path: &str| {
            let mut request = Request::new(Body::empty());
            (*request.method_mut(), *request.uri_mut()) = (method, path.parse().unwrap());
            node_to_download(&request)
        };
        let path = format!("/api/v1/nodes/{id}/content");
        assert_eq!(found(Method::GET, &path), Some(id));
        assert_eq!(found(Method::GET, &format!("{path}?inline")), Some(id));
        for method in [Method::HEAD, Method::PUT, Method::POST, Method::DELETE] {
            assert_eq!(found(method, &path), None);
        }
        for path in [
            format!("{path}/"),
            format!("/{path}"),
            path.to_uppercase(),
            "/api/v1/nodes/content".to_owned(),
            "/api/v1/nodes//content".to_owned(),
            "/api/v1/nodes/%30/content".to_owned(),
            format!("/api/v1/nodes/{id}/children/content"),
        ] {
            assert_eq!(found(Method::GET, &path), None, "{path}");
        }
    }
}
