//! Shares as their visitors see them.

use axum::Json as JsonAnswer;
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use campusdisk_core::catalog::record::{Node, NodeKind};
use campusdisk_core::{Admission, ErrorKind, NodeId, Unlock, Visit, Visitor};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::actor::Writer;
use crate::client::Client;
use crate::content::{self, ContentQuery};
use crate::cookies::{self, CookieScope};
use crate::error::{Problem, ProblemDocument, Result};
use crate::extract::{Json, OptionalJson, Query, Segments, read_small};
use crate::list::{Items, write_cursor};
use crate::routes::content::archive_problem;
use crate::routes::nodes::{FolderQuery, node_answer};
use crate::state::AppState;
use crate::wire::{NodeBody, SharedNodeBody, entry_name};
use crate::{conditional, origin, page, put};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(facts))
        .routes(routes!(unlock))
        .routes(routes!(root_content))
        .routes(routes!(inner_content))
        .routes(routes!(root_children))
        .routes(routes!(inner_children, drop_file))
        .routes(routes!(save))
}

/// A visit, with what the visitor shows: the share's cookie, or a ticket in the query.
pub(crate) struct Guest {
    pub(crate) visit: Visit,
    client: Client,
    ticket: Option<String>,
    cookies: CookieScope,
}

impl Guest {
    /// Lets the visitor in.
    ///
    /// # Errors
    /// 401 when the password is missing.
    pub(crate) fn admit(&self) -> Result<Admission> {
        self.visit
            .admit(self.ticket.as_deref())
            .map_err(|error| match error.kind() {
                ErrorKind::Denied => Problem::unauthenticated().with_kind("password_required"),
                _ => error.into(),
            })
    }

    fn keep_ticket(&self, ticket: &str, response: &mut Response) {
        let path = format!("/s/{}", self.visit.share().token);
        response.headers_mut().append(
            header::SET_COOKIE,
            self.cookies.keep(cookies::TICKET, ticket, &path, None),
        );
    }
}

impl FromRequestParts<AppState> for Guest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let client = Client::from_request_parts(parts, state)
            .await
            .unwrap_or_else(|never| match never {});
        let cookies = CookieScope::from_request_parts(parts, state)
            .await
            .unwrap_or_else(|never| match never {});
        let Segments(segments) = Segments::<Vec<(String, String)>>::from_request_parts(parts, state).await?;
        let Query(TicketQuery { ticket }) = Query::from_request_parts(parts, state).await?;
        let token = segments
            .into_iter()
            .find_map(|(name, token)| (name == "token").then_some(token));
        let token = token.ok_or_else(Problem::not_found)?;
        let visit = state
            .disk()
            .visit(
                &token,
                Visitor {
                    address: client.address,
                },
            )
            .await?;
        let ticket = ticket.or_else(|| cookies::read(&parts.headers, cookies::TICKET).map(str::to_owned));
        // A share with no download left for this client looks like one that never was.
        if visit.is_used_up(ticket.as_deref()).await? {
            return Err(Problem::not_found());
        }
        Ok(Self {
            visit,
            client,
            ticket,
            cookies,
        })
    }
}

/// What is shared: a page for browsers, facts for programs.
#[utoipa::path(
    get, path = "/s/{token}", tag = "visit", params(("token" = String, Path)),
    responses((status = 200, body = FactsBody), (status = 404, body = ProblemDocument)),
)]
async fn facts(guest: Guest, headers: HeaderMap) -> Response {
    let facts = FactsBody::of(&guest.visit);
    let wants_json = headers.get_all(header::ACCEPT).iter().any(|accept| {
        accept
            .to_str()
            .is_ok_and(|accept| accept.contains("application/json"))
    });
    let mut response = match wants_json {
        true => JsonAnswer(facts).into_response(),
        false => page::share(&facts, &guest.visit.share().token),
    };
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
        .headers_mut()
        .insert(header::VARY, HeaderValue::from_static("accept"));
    if !wants_json
        && guest.ticket.is_none()
        && let Some(ticket) = guest.visit.page_ticket()
    {
        guest.keep_ticket(&ticket, &mut response);
    }
    response
}

/// Tries a password.
#[utoipa::path(
    post, path = "/s/{token}/unlock", tag = "visit", params(("token" = String, Path)), request_body = UnlockBody,
    responses(
        (status = 200, body = TicketBody), (status = 204), (status = 403, body = ProblemDocument),
        (status = 404, body = ProblemDocument), (status = 429, body = ProblemDocument),
    ),
)]
async fn unlock(State(state): State<AppState>, guest: Guest, request: Request) -> Result<Response> {
    origin::check_origin(request.uri(), request.headers())?;
    let headers = request.headers().clone();
    let from_page = has_type(
        &headers,
        header::CONTENT_TYPE,
        "application/x-www-form-urlencoded",
    );
    let body = read_password(&state, from_page, request).await?;
    let ticket = match guest.visit.unlock(&body.password).await? {
        Unlock::Open(ticket) => ticket,
        Unlock::Later(wait) => return Err(Problem::throttled(wait)),
        Unlock::Wrong => {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "wrong_password",
                "this is not the password",
            ));
        }
    };
    if has_type(&headers, header::ACCEPT, "application/json") {
        return Ok(JsonAnswer(TicketBody { ticket }).into_response());
    }
    let mut response = match from_page {
        // Back to the share's page, which is one step up from …/unlock.
        true => Redirect::to(&format!("../{}", guest.visit.share().token)).into_response(),
        false => StatusCode::NO_CONTENT.into_response(),
    };
    guest.keep_ticket(&ticket, &mut response);
    Ok(response)
}

/// The bytes of a shared file, or of a folder as a ZIP archive.
#[utoipa::path(
    get, path = "/s/{token}/content", tag = "visit",
    params(("token" = String, Path), ("ticket" = Option<String>, Query), ("Range" = Option<String>, Header)),
    responses(
        (status = 200, content_type = "application/octet-stream", body = String), (status = 206), (status = 304),
        (status = 401, body = ProblemDocument), (status = 404, body = ProblemDocument), (status = 413, body = ProblemDocument),
        (status = 416, body = ProblemDocument),
    ),
)]
async fn root_content(
    State(state): State<AppState>,
    guest: Guest,
    Query(query): Query<ContentQuery>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response> {
    bytes(&state, &guest, None, &query, &method, &headers).await
}

/// The bytes of a file inside a shared folder, or of a folder as a ZIP archive.
#[utoipa::path(
    get, path = "/s/{token}/nodes/{id}/content", tag = "visit",
    params(("token" = String, Path), ("id" = String, Path), ("ticket" = Option<String>, Query)),
    responses(
        (status = 200, content_type = "application/octet-stream", body = String), (status = 206), (status = 304),
        (status = 401, body = ProblemDocument), (status = 404, body = ProblemDocument), (status = 416, body = ProblemDocument),
    ),
)]
async fn inner_content(
    State(state): State<AppState>,
    guest: Guest,
    Segments((_token, id)): Segments<(String, String)>,
    Query(query): Query<ContentQuery>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response> {
    bytes(&state, &guest, Some(id.parse()?), &query, &method, &headers).await
}

/// A page of a shared folder.
#[utoipa::path(
    get, path = "/s/{token}/children", tag = "visit",
    params(("token" = String, Path), ("limit" = Option<u32>, Query), ("after" = Option<String>, Query)),
    responses((status = 200, body = Items<SharedNodeBody>), (status = 401, body = ProblemDocument), (status = 404, body = ProblemDocument)),
)]
async fn root_children(
    State(state): State<AppState>,
    guest: Guest,
    Query(query): Query<FolderQuery>,
) -> Result<JsonAnswer<Items<SharedNodeBody>>> {
    list(&state, &guest, None, &query).await
}

/// A page of a folder inside a shared folder.
#[utoipa::path(
    get, path = "/s/{token}/children/{name}", tag = "visit",
    params(
        ("token" = String, Path), ("name" = String, Path, description = "the folder's id"),
        ("limit" = Option<u32>, Query), ("after" = Option<String>, Query),
    ),
    responses((status = 200, body = Items<SharedNodeBody>), (status = 401, body = ProblemDocument), (status = 404, body = ProblemDocument)),
)]
async fn inner_children(
    State(state): State<AppState>,
    guest: Guest,
    Segments((_token, id)): Segments<(String, String)>,
    Query(query): Query<FolderQuery>,
) -> Result<JsonAnswer<Items<SharedNodeBody>>> {
    list(&state, &guest, Some(id.parse()?), &query).await
}

/// Puts a file into a share that takes files in. A taken name gets another; nothing is replaced.
#[utoipa::path(
    put, path = "/s/{token}/children/{name}", tag = "visit", params(("token" = String, Path), ("name" = String, Path)),
    request_body(content = String, content_type = "application/octet-stream"),
    responses(
        (status = 201, body = DroppedBody), (status = 401, body = ProblemDocument), (status = 404, body = ProblemDocument),
        (status = 413, body = ProblemDocument), (status = 422, body = ProblemDocument), (status = 507, body = ProblemDocument),
    ),
)]
async fn drop_file(
    State(state): State<AppState>,
    guest: Guest,
    Segments((_token, name)): Segments<(String, String)>,
    request: Request,
) -> Result<(StatusCode, JsonAnswer<DroppedBody>)> {
    let admission = guest.admit()?;
    let (parts, body) = request.into_parts();
    let conditions = conditional::preconditions(&parts.headers, state.disk().now());
    let options = put::options(&parts.headers, &conditions)?;
    let putting = guest
        .visit
        .put(&admission, entry_name(&name)?, options)
        .await
        .map_err(put::problem)?;
    let put = put::receive(putting, body).await?;
    Ok((
        StatusCode::CREATED,
        JsonAnswer(DroppedBody {
            name: put.node.name.as_str().to_owned(),
        }),
    ))
}

/// Copies what is shared into a drive of the caller's; no byte moves.
#[utoipa::path(
    post, path = "/s/{token}/save", tag = "visit", params(("token" = String, Path)), request_body = SaveBody,
    responses(
        (status = 201, body = NodeBody), (status = 401, body = ProblemDocument), (status = 404, body = ProblemDocument),
        (status = 409, body = ProblemDocument), (status = 507, body = ProblemDocument),
    ),
)]
async fn save(
    guest: Guest,
    Writer(desk): Writer,
    OptionalJson(body): OptionalJson<SaveBody>,
) -> Result<Response> {
    let admission = guest.admit()?;
    let parent = body.parent.as_deref().map(str::parse).transpose()?;
    let node = guest.visit.save(&admission, &desk, parent).await?;
    node_answer(&desk, StatusCode::CREATED, &node).await
}

async fn bytes(
    state: &AppState,
    guest: &Guest,
    id: Option<NodeId>,
    query: &ContentQuery,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response> {
    let admission = guest.admit()?;
    let node: std::sync::Arc<campusdisk_core::Place> = guest.visit.node(&admission, id).await?;
    let mut response = match node.node.kind {
        NodeKind::Folder => {
            let archive = guest.visit.archive(&admission, id).await;
            let archive = archive.map_err(archive_problem)?;
            content::answer(state, &guest.client, &archive, method, headers, query).await?
        }
        NodeKind::File => {
            let download = guest.visit.download(&admission, id).await?;
            content::answer(state, &guest.client, &download, method, headers, query).await?
        }
    };
    if method == Method::GET
        && let Some(ticket) = admission.fresh_ticket()
    {
        guest.keep_ticket(ticket, &mut response);
    }
    Ok(response)
}

async fn list(
    state: &AppState,
    guest: &Guest,
    folder: Option<NodeId>,
    query: &FolderQuery,
) -> Result<JsonAnswer<Items<SharedNodeBody>>> {
    let admission = guest.admit()?;
    let listing = guest
        .visit
        .children(&admission, folder, &query.parse(state)?)
        .await?;
    Ok(JsonAnswer(Items {
        items: listing.items.iter().map(SharedNodeBody::from).collect(),
        next: listing.next.as_ref().map(write_cursor),
    }))
}

async fn read_password(state: &AppState, from_page: bool, request: Request) -> Result<UnlockBody> {
    if !from_page {
        let Json(body) = Json::from_request(request, state).await?;
        return Ok(body);
    }
    let body = read_small(request.into_body(), state).await?;
    let text = std::str::from_utf8(&body).map_err(|_| Problem::bad_request("the form is not UTF-8"))?;
    // A form's body is what a query is.
    let uri = http::Uri::builder().path_and_query(format!("/?{text}")).build();
    let uri = uri.map_err(|_| Problem::bad_request("the form is malformed"))?;
    axum::extract::Query::try_from_uri(&uri)
        .map(|axum::extract::Query(body)| body)
        .map_err(|_| Problem::bad_request("the form has no password"))
}

fn has_type(headers: &HeaderMap, name: http::HeaderName, mime: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .any(|value| value.to_str().is_ok_and(|value| value.contains(mime)))
}

#[derive(Debug, Default, Deserialize)]
struct TicketQuery {
    ticket: Option<String>,
}

/// What a visitor is told before a password.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ShareFacts)]
pub(crate) struct FactsBody {
    /// The name of what is shared.
    pub name: String,
    /// Its size in bytes; 0 for a folder.
    pub size: u64,
    /// `file` or `folder`.
    pub kind: &'static str,
    /// Whether a password is needed.
    pub needs_password: bool,
    /// When the share ends by itself.
    pub expires: Option<String>,
    /// Whether files are put in instead of read.
    pub drop: bool,
}

impl FactsBody {
    fn of(visit: &Visit) -> Self {
        let (node, share): (&Node, _) = (visit.root(), visit.share());
        Self {
            name: visit.name().to_owned(),
            size: node.size_bytes,
            kind: node.kind.as_str(),
            needs_password: share.password.is_some(),
            expires: share.expires.map(|expires| expires.to_string()),
            drop: share.drop,
        }
    }
}

/// A password for a share.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UnlockBody {
    /// The password.
    password: String,
}

/// What lets a client without cookies in.
#[derive(Serialize, ToSchema)]
struct TicketBody {
    /// For `?ticket=`.
    ticket: String,
}

/// A file that was dropped.
#[derive(Debug, Serialize, ToSchema)]
struct DroppedBody {
    /// The name it got.
    name: String,
}

/// Where to save.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SaveBody {
    /// The folder; the root of the caller's own drive without it.
    parent: Option<String>,
}
