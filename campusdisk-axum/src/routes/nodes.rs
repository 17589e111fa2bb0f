//! Files and folders: look, list, make, rename, move, copy, delete.

use axum::Json as JsonAnswer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use campusdisk_core::catalog::record::{Category, Node};
use campusdisk_core::catalog::{ChildrenQuery, Only, Order, Sort};
use campusdisk_core::{
    Desk, EntityTag, EntityTags, Error, ErrorKind, Listing, NodeId, NodeUpdate, Place, Preconditions,
    Purpose, Validators, Verdict,
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::actor::{Reader, Writer};
use crate::conditional;
use crate::error::{Problem, ProblemDocument, Result};
use crate::extract::{Json, Query, Segments};
use crate::list::{Items, Limit, read_cursor, write_cursor};
use crate::state::AppState;
use crate::wire::{NodeBody, entry_name};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get, update, delete))
        .routes(routes!(children, create))
        .routes(routes!(copy))
}

/// A node; `ETag` is that of its facts.
#[utoipa::path(
    get, path = "/api/v1/nodes/{id}", tag = "files", params(("id" = String, Path)),
    responses((status = 200, body = NodeBody), (status = 304), (status = 404, body = ProblemDocument)),
)]
async fn get(
    State(state): State<AppState>,
    Reader(desk): Reader,
    Segments(id): Segments<String>,
    headers: HeaderMap,
) -> Result<Response> {
    let place = desk.node(id.parse()?).await?;
    facts(&state, &headers, &place)
}

/// Renames or moves a node.
#[utoipa::path(
    patch, path = "/api/v1/nodes/{id}", tag = "files", params(("id" = String, Path)), request_body = UpdateBody,
    responses(
        (status = 200, body = NodeBody), (status = 404, body = ProblemDocument), (status = 409, body = ProblemDocument),
        (status = 412, body = ProblemDocument), (status = 422, body = ProblemDocument),
    ),
)]
async fn update(
    State(state): State<AppState>,
    Writer(desk): Writer,
    Segments(id): Segments<String>,
    headers: HeaderMap,
    Json(body): Json<UpdateBody>,
) -> Result<Response> {
    let id: NodeId = id.parse()?;
    let mut update = NodeUpdate::default();
    update.name = body.name.as_deref().map(entry_name).transpose()?;
    update.parent = body.parent.as_deref().map(str::parse).transpose()?;
    update.if_version = expected_versions(&state, &desk, id, &headers).await?;
    let node = desk.update(id, update).await.map_err(problem)?;
    node_answer(&desk, StatusCode::OK, &node).await
}

/// Puts a node into the trash; its shares end.
#[utoipa::path(
    delete, path = "/api/v1/nodes/{id}", tag = "files", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemDocument), (status = 412, body = ProblemDocument)),
)]
async fn delete(
    State(state): State<AppState>,
    Writer(desk): Writer,
    Segments(id): Segments<String>,
    headers: HeaderMap,
) -> Result<StatusCode> {
    let id: NodeId = id.parse()?;
    let versions = expected_versions(&state, &desk, id, &headers).await?;
    desk.trash(id, versions.as_deref()).await.map_err(problem)?;
    Ok(StatusCode::NO_CONTENT)
}

/// A page of a folder.
#[utoipa::path(
    get, path = "/api/v1/nodes/{id}/children", tag = "files",
    params(
        ("id" = String, Path), ("sort" = Option<String>, Query, description = "name, size or modified"),
        ("order" = Option<String>, Query, description = "asc or desc"),
        ("category" = Option<String>, Query, description = "only such files; \"folder\" for folders alone"),
        ("limit" = Option<u32>, Query), ("after" = Option<String>, Query),
    ),
    responses((status = 200, body = Items<NodeBody>), (status = 400, body = ProblemDocument)),
)]
async fn children(
    State(state): State<AppState>,
    Reader(desk): Reader,
    Segments(id): Segments<String>,
    Query(query): Query<FolderQuery>,
) -> Result<JsonAnswer<Items<NodeBody>>> {
    let listing = desk.children(id.parse()?, &query.parse(&state)?).await?;
    Ok(JsonAnswer(page(&listing)))
}

/// Makes a folder.
#[utoipa::path(
    post, path = "/api/v1/nodes/{id}/children", tag = "files", params(("id" = String, Path)), request_body = CreateBody,
    responses((status = 201, body = NodeBody), (status = 409, body = ProblemDocument), (status = 422, body = ProblemDocument)),
)]
async fn create(
    Writer(desk): Writer,
    Segments(id): Segments<String>,
    Json(body): Json<CreateBody>,
) -> Result<Response> {
    if body.kind != "folder" {
        return Err(Problem::invalid(
            "kind",
            "has to be folder; files are put or uploaded",
        ));
    }
    let node = desk.create_folder(id.parse()?, entry_name(&body.name)?).await?;
    let mut response = node_answer(&desk, StatusCode::CREATED, &node).await?;
    set_location(&mut response, format!("../{}", node.id));
    Ok(response)
}

/// Copies a file or a folder; no byte moves.
#[utoipa::path(
    post, path = "/api/v1/nodes/{id}/copy", tag = "files", params(("id" = String, Path)), request_body = CopyBody,
    responses((status = 201, body = NodeBody), (status = 409, body = ProblemDocument), (status = 422, body = ProblemDocument)),
)]
async fn copy(
    Writer(desk): Writer,
    Segments(id): Segments<String>,
    Json(body): Json<CopyBody>,
) -> Result<Response> {
    let name = body.name.as_deref().map(entry_name).transpose()?;
    let node = desk.copy(id.parse()?, body.parent.parse()?, name).await?;
    let mut response = node_answer(&desk, StatusCode::CREATED, &node).await?;
    set_location(&mut response, format!("../{}", node.id));
    Ok(response)
}

/// What changes about a node.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UpdateBody {
    /// Another name.
    name: Option<String>,
    /// Another folder.
    parent: Option<String>,
}

/// A folder to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateBody {
    /// Its name.
    name: String,
    /// `folder`.
    kind: String,
}

/// Where a copy goes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CopyBody {
    /// The folder.
    parent: String,
    /// Its name; the same without it.
    name: Option<String>,
}

/// Which page of a folder.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct FolderQuery {
    sort: Option<String>,
    order: Option<String>,
    category: Option<String>,
    #[serde(default)]
    limit: Limit,
    after: Option<String>,
}

impl FolderQuery {
    /// The query for the catalog.
    ///
    /// # Errors
    /// 400 for words that are none and cursors of other lists.
    pub(crate) fn parse(&self, state: &AppState) -> Result<ChildrenQuery> {
        let sort = match self.sort.as_deref() {
            None | Some("name") => Sort::Name,
            Some("size") => Sort::Size,
            Some("modified") => Sort::Modified,
            Some(_) => return Err(Problem::bad_request("sort is none of name, size and modified")),
        };
        let order = match self.order.as_deref() {
            None | Some("asc") => Order::Ascending,
            Some("desc") => Order::Descending,
            Some(_) => return Err(Problem::bad_request("order is neither asc nor desc")),
        };
        Ok(ChildrenQuery {
            sort,
            order,
            only: only(self.category.as_deref())?,
            after: self
                .after
                .as_deref()
                .map(|after| read_cursor(after, sort))
                .transpose()?,
            limit: self.limit.items(state),
        })
    }
}

/// What a listing is narrowed to: a category of files, or folders.
///
/// # Errors
/// 400 for any other word.
fn only(word: Option<&str>) -> Result<Option<Only>> {
    match word {
        Some("folder") => Ok(Some(Only::Folders)),
        word => Ok(category(word)?.map(Only::Files)),
    }
}

/// A category by its word; none where it is not asked for.
///
/// # Errors
/// 400 for any other word.
pub(crate) fn category(word: Option<&str>) -> Result<Option<Category>> {
    let word = word.filter(|word| !word.is_empty());
    word.map(|word| {
        word.parse()
            .map_err(|_| Problem::bad_request("category is none that there is"))
    })
    .transpose()
}

/// A page of nodes.
fn page(listing: &Listing) -> Items<NodeBody> {
    Items {
        items: listing.items.iter().map(NodeBody::from).collect(),
        next: listing.next.as_ref().map(write_cursor),
    }
}

/// A node's facts with their tag, or 304 for who has them.
pub(crate) fn facts(state: &AppState, headers: &HeaderMap, place: &Place) -> Result<Response> {
    let validators = Validators::of(EntityTag::of_version(place.node.version));
    let conditions = conditional::preconditions(headers, state.disk().now());
    let mut response = match conditions.verdict(Some(&validators), Purpose::Read) {
        Verdict::Proceed => JsonAnswer(NodeBody::from(place)).into_response(),
        Verdict::NotModified => StatusCode::NOT_MODIFIED.into_response(),
        Verdict::Failed => return Err(Problem::precondition_failed()),
    };
    conditional::write_validators(&validators, response.headers_mut());
    response.headers_mut().insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    Ok(response)
}

/// A node that was just made or changed, with its tag.
pub(crate) async fn node_answer(desk: &Desk, status: StatusCode, node: &Node) -> Result<Response> {
    // The content's hash is worth a look into memory, not a failure.
    let body = match desk.node(node.id).await {
        Ok(place) if place.node.content == node.content => NodeBody::new(node, place.content.as_deref()),
        _ => NodeBody::from(node),
    };
    let mut response = (status, JsonAnswer(body)).into_response();
    let validators = Validators::of(EntityTag::of_version(node.version));
    conditional::write_validators(&validators, response.headers_mut());
    Ok(response)
}

/// Says where something new is, relative to the request's address.
pub(crate) fn set_location(response: &mut Response, relative: String) {
    if let Ok(location) = HeaderValue::try_from(relative) {
        response.headers_mut().insert(header::LOCATION, location);
    }
}

/// The versions that `If-Match` allows; conditions that fail already are refused here.
async fn expected_versions(
    state: &AppState,
    desk: &Desk,
    id: NodeId,
    headers: &HeaderMap,
) -> Result<Option<Vec<u64>>> {
    let conditions: Preconditions = conditional::preconditions(headers, state.disk().now());
    if conditions.is_empty() {
        return Ok(None);
    }
    let place = desk.node(id).await?;
    let validators = Validators::of(EntityTag::of_version(place.node.version));
    if conditions.verdict(Some(&validators), Purpose::Write) != Verdict::Proceed {
        return Err(Problem::precondition_failed());
    }
    Ok(match conditions.if_match {
        Some(EntityTags::Listed(tags)) => Some(tags.iter().filter_map(EntityTag::as_version).collect()),
        _ => None,
    })
}

/// What an error means to who changes a node.
fn problem(error: Error) -> Problem {
    match error.kind() {
        ErrorKind::Changed => Problem::precondition_failed(),
        _ => error.into(),
    }
}
