//! Groups of accounts and who is in them, for administrators.

use axum::Json as JsonAnswer;
use axum::extract::State;
use campusdisk_accounts::{Group, GroupName};
use campusdisk_core::GroupId;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::accounts::AccountBody;
use super::admin::{Admin, account_id, listing, page_asked};
use crate::error::{Problem, ProblemDocument, Result};
use crate::extract::{Json, Query, Segments};
use crate::list::{Items, ListQuery, SearchQuery};
use crate::state::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(rename, delete))
        .routes(routes!(members))
        .routes(routes!(add_member, remove_member))
        .routes(routes!(groups_of))
}

/// The groups, by name.
#[utoipa::path(
    get, path = "/api/v1/admin/groups", tag = "administration",
    params(("search" = Option<String>, Query), ("limit" = Option<u32>, Query), ("after" = Option<String>, Query)),
    responses((status = 200, body = Items<GroupRow>), (status = 403, body = ProblemDocument)),
)]
async fn list(
    State(state): State<AppState>,
    Admin(by): Admin,
    Query(query): Query<SearchQuery>,
) -> Result<JsonAnswer<Items<GroupRow>>> {
    let accounts = state.accounts()?;
    let listed = accounts.groups(query.search.as_deref(), query.page(&state)).await;
    let listed = page_asked(listed)?;
    let counts = accounts.member_counts(&by, &listed.items).await?;
    let row = |group: &Group| GroupRow {
        group: group.into(),
        members: counts.get(&group.id).copied().unwrap_or_default(),
    };
    Ok(JsonAnswer(Items {
        items: listed.items.iter().map(row).collect(),
        next: listed.next,
    }))
}

/// Makes a group without members.
#[utoipa::path(
    post, path = "/api/v1/admin/groups", tag = "administration", request_body = GroupNameBody,
    responses(
        (status = 201, body = GroupBody), (status = 403, body = ProblemDocument), (status = 409, body = ProblemDocument),
        (status = 422, body = ProblemDocument),
    ),
)]
async fn create(
    State(state): State<AppState>,
    Admin(by): Admin,
    Json(body): Json<GroupNameBody>,
) -> Result<(StatusCode, JsonAnswer<GroupBody>)> {
    let name = GroupName::parse(&body.name)?;
    let group = state.accounts()?.create_group(&by, name).await?;
    Ok((StatusCode::CREATED, JsonAnswer(GroupBody::from(&group))))
}

/// Gives a group another name.
#[utoipa::path(
    patch, path = "/api/v1/admin/groups/{id}", tag = "administration", params(("id" = String, Path)),
    request_body = GroupNameBody,
    responses(
        (status = 200, body = GroupBody), (status = 403, body = ProblemDocument), (status = 404, body = ProblemDocument),
        (status = 409, body = ProblemDocument), (status = 422, body = ProblemDocument),
    ),
)]
async fn rename(
    State(state): State<AppState>,
    Admin(by): Admin,
    Segments(id): Segments<String>,
    Json(body): Json<GroupNameBody>,
) -> Result<JsonAnswer<GroupBody>> {
    let id = group_id(&id)?;
    let name = GroupName::parse(&body.name)?;
    let group = state.accounts()?.rename_group(&by, &id, name).await?;
    Ok(JsonAnswer(GroupBody::from(&group)))
}

/// Ends a group; its members stay accounts.
#[utoipa::path(
    delete, path = "/api/v1/admin/groups/{id}", tag = "administration", params(("id" = String, Path)),
    responses((status = 204), (status = 403, body = ProblemDocument), (status = 404, body = ProblemDocument)),
)]
async fn delete(
    State(state): State<AppState>,
    Admin(by): Admin,
    Segments(id): Segments<String>,
) -> Result<StatusCode> {
    state.accounts()?.delete_group(&by, &group_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The members of a group, by user name.
#[utoipa::path(
    get, path = "/api/v1/admin/groups/{id}/members", tag = "administration",
    params(("id" = String, Path), ("limit" = Option<u32>, Query), ("after" = Option<String>, Query)),
    responses((status = 200, body = Items<AccountBody>), (status = 403, body = ProblemDocument), (status = 404, body = ProblemDocument)),
)]
async fn members(
    State(state): State<AppState>,
    Admin(by): Admin,
    Segments(id): Segments<String>,
    Query(query): Query<ListQuery>,
) -> Result<JsonAnswer<Items<AccountBody>>> {
    let listed = state
        .accounts()?
        .members(&by, &group_id(&id)?, query.page(&state))
        .await;
    Ok(JsonAnswer(listing(listed)?))
}

/// Makes an account a member; one that is stays one.
#[utoipa::path(
    put, path = "/api/v1/admin/groups/{id}/members/{account}", tag = "administration",
    params(("id" = String, Path), ("account" = String, Path)),
    responses((status = 204), (status = 403, body = ProblemDocument), (status = 404, body = ProblemDocument)),
)]
async fn add_member(
    State(state): State<AppState>,
    Admin(by): Admin,
    Segments((id, account)): Segments<(String, String)>,
) -> Result<StatusCode> {
    let (group, account) = (group_id(&id)?, account_id(&account)?);
    state.accounts()?.add_member(&by, &group, &account).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes an account no member; one that is none stays none.
#[utoipa::path(
    delete, path = "/api/v1/admin/groups/{id}/members/{account}", tag = "administration",
    params(("id" = String, Path), ("account" = String, Path)),
    responses((status = 204), (status = 403, body = ProblemDocument), (status = 404, body = ProblemDocument)),
)]
async fn remove_member(
    State(state): State<AppState>,
    Admin(by): Admin,
    Segments((id, account)): Segments<(String, String)>,
) -> Result<StatusCode> {
    let (group, account) = (group_id(&id)?, account_id(&account)?);
    state.accounts()?.remove_member(&by, &group, &account).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The groups an account is in, by name.
#[utoipa::path(
    get, path = "/api/v1/admin/accounts/{id}/groups", tag = "administration",
    params(("id" = String, Path), ("limit" = Option<u32>, Query), ("after" = Option<String>, Query)),
    responses((status = 200, body = Items<GroupBody>), (status = 403, body = ProblemDocument), (status = 404, body = ProblemDocument)),
)]
async fn groups_of(
    State(state): State<AppState>,
    Admin(by): Admin,
    Segments(id): Segments<String>,
    Query(query): Query<ListQuery>,
) -> Result<JsonAnswer<Items<GroupBody>>> {
    let account = state.accounts()?.admin_get(&by, &account_id(&id)?).await?;
    let listed = state.accounts()?.groups_of(&account.id, query.page(&state)).await;
    Ok(JsonAnswer(listing(listed)?))
}

/// A text that can be no id names no group.
fn group_id(text: &str) -> Result<GroupId> {
    GroupId::parse(text).map_err(|_| Problem::not_found())
}

/// What a group is to be called.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct GroupNameBody {
    /// The name; no two groups have the same.
    name: String,
}

/// Accounts that are given rights together.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Group)]
struct GroupBody {
    /// Its id.
    id: String,
    /// What people call it.
    name: String,
    /// When it was made.
    created: String,
}

/// A group as the list of groups has it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GroupRow)]
struct GroupRow {
    /// The group.
    #[serde(flatten)]
    group: GroupBody,
    /// How many accounts are in it.
    members: u64,
}

impl From<&Group> for GroupBody {
    fn from(group: &Group) -> Self {
        Self {
            id: group.id.to_string(),
            name: group.name.to_string(),
            created: group.created.to_string(),
        }
    }
}
