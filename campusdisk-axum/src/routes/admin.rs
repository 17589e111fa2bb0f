//! What administrators do with accounts.

use axum::Json as JsonAnswer;
use axum::extract::{FromRequestParts, State};
use campusdisk_accounts::{Account, AccountUpdate, Administrator, Listed, NextSignIn};
use campusdisk_core::{AccountId, Actor};
use http::StatusCode;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::accounts::{AccountBody, nullable};
use crate::actor::Caller;
use crate::error::{Problem, ProblemDocument, Result};
use crate::extract::{Json, Query, Segments};
use crate::list::{Items, SearchQuery};
use crate::state::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get, update))
        .routes(routes!(set_password))
}

/// Proof that an administrator asks.
pub(super) struct Admin(pub(super) Administrator);

impl FromRequestParts<AppState> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let caller = Caller::from_request_parts(parts, state).await?;
        caller.require_administrator()?;
        caller
            .principal()?
            .administrator()
            .map(Self)
            .ok_or_else(Problem::forbidden)
    }
}

/// The accounts, by user name.
#[utoipa::path(
    get, path = "/api/v1/admin/accounts", tag = "administration",
    params(("search" = Option<String>, Query), ("limit" = Option<u32>, Query), ("after" = Option<String>, Query)),
    responses((status = 200, body = Items<PersonBody>), (status = 403, body = ProblemDocument)),
)]
async fn list(
    State(state): State<AppState>,
    Admin(by): Admin,
    Query(query): Query<SearchQuery>,
) -> Result<JsonAnswer<Items<PersonBody>>> {
    let listed = state
        .accounts()?
        .admin_list(&by, query.search.as_deref(), query.page(&state))
        .await;
    let listed = page_asked(listed)?;
    Ok(JsonAnswer(Items {
        items: people(&state, &listed.items).await?,
        next: listed.next,
    }))
}

/// One account.
#[utoipa::path(
    get, path = "/api/v1/admin/accounts/{id}", tag = "administration", params(("id" = String, Path)),
    responses((status = 200, body = PersonAnswer), (status = 403, body = ProblemDocument), (status = 404, body = ProblemDocument)),
)]
async fn get(
    State(state): State<AppState>,
    Admin(by): Admin,
    Segments(id): Segments<String>,
) -> Result<JsonAnswer<PersonAnswer>> {
    let account = state.accounts()?.admin_get(&by, &account_id(&id)?).await?;
    person(&state, account).await
}

/// Locks, unlocks, appoints, or sets a quota. Locking ends the account's sessions, tokens and running transfers.
#[utoipa::path(
    patch, path = "/api/v1/admin/accounts/{id}", tag = "administration", params(("id" = String, Path)), request_body = UpdateBody,
    responses((status = 200, body = PersonAnswer), (status = 403, body = ProblemDocument), (status = 404, body = ProblemDocument)),
)]
async fn update(
    State(state): State<AppState>,
    Admin(by): Admin,
    Segments(id): Segments<String>,
    Json(body): Json<UpdateBody>,
) -> Result<JsonAnswer<PersonAnswer>> {
    let id = account_id(&id)?;
    let update = AccountUpdate {
        locked: body.locked,
        admin: body.admin,
        quota_bytes: body.quota_bytes,
    };
    let account = state.accounts()?.admin_update(&by, &id, update).await?;
    if body.quota_bytes.is_some() {
        // The drive has to be there for the quota to hold from its first byte on.
        let actor =
            Actor::new(id.clone(), account.display_name.as_str()).with_quota_bytes(account.quota_bytes);
        state.disk().drive(actor).home().await?;
        let quota_bytes = account.quota_bytes.or(state.disk().policy().personal_quota_bytes);
        state.disk().set_personal_quota(&id, quota_bytes).await?;
    }
    person(&state, account).await
}

/// Sets somebody's password; they choose another at their next sign-in.
#[utoipa::path(
    put, path = "/api/v1/admin/accounts/{id}/password", tag = "administration", params(("id" = String, Path)),
    request_body = PasswordBody,
    responses((status = 204), (status = 403, body = ProblemDocument), (status = 404, body = ProblemDocument), (status = 422, body = ProblemDocument)),
)]
async fn set_password(
    State(state): State<AppState>,
    Admin(by): Admin,
    Segments(id): Segments<String>,
    Json(body): Json<PasswordBody>,
) -> Result<StatusCode> {
    let id = account_id(&id)?;
    state
        .accounts()?
        .admin_set_password(&by, &id, &body.new, NextSignIn::MustChange)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn person(state: &AppState, account: Account) -> Result<JsonAnswer<PersonAnswer>> {
    let mut people = people(state, &[account]).await?;
    let account = people.pop().ok_or_else(Problem::not_found)?;
    Ok(JsonAnswer(PersonAnswer { account }))
}

/// Accounts with what their own drives keep and may keep.
async fn people(state: &AppState, accounts: &[Account]) -> Result<Vec<PersonBody>> {
    let ids: Vec<_> = accounts.iter().map(|account| account.id.clone()).collect();
    let usage = state.disk().personal_usage(&ids).await?;
    let usual = state.disk().policy().personal_quota_bytes;
    let person = |account: &Account| {
        let drive = usage.get(&account.id);
        PersonBody {
            account: account.into(),
            used_bytes: drive.map_or(0, |drive| drive.used_bytes),
            limit_bytes: drive.map_or(account.quota_bytes.or(usual), |drive| drive.quota_bytes),
        }
    };
    Ok(accounts.iter().map(person).collect())
}

/// A page as it was asked for. A cursor or a limit is part of how the list is asked for, not of what is in it.
pub(super) fn page_asked<T>(listed: campusdisk_core::Result<Listed<T>>) -> Result<Listed<T>> {
    listed.map_err(|error| match error.field() {
        Some("after" | "limit") => Problem::from(error).with_status(StatusCode::BAD_REQUEST),
        _ => error.into(),
    })
}

/// A page as it is answered.
pub(super) fn listing<T, B: for<'a> From<&'a T>>(
    listed: campusdisk_core::Result<Listed<T>>,
) -> Result<Items<B>> {
    let listed = page_asked(listed)?;
    Ok(Items {
        items: listed.items.iter().map(B::from).collect(),
        next: listed.next,
    })
}

/// A text that can be no id names no account.
pub(super) fn account_id(text: &str) -> Result<AccountId> {
    AccountId::parse(text).map_err(|_| Problem::not_found())
}

/// An account as administrators see it.
#[derive(Debug, Serialize, ToSchema)]
struct PersonAnswer {
    account: PersonBody,
}

/// An account with what its own drive keeps.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Person)]
struct PersonBody {
    /// The account.
    #[serde(flatten)]
    account: AccountBody,
    /// What its own drive keeps: versions and trash too; 0 while it has none.
    used_bytes: u64,
    /// What it may keep: the account's own quota, else the installation's; null where there is no limit.
    limit_bytes: Option<u64>,
}

/// What changes of an account; what is missing stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UpdateAccountBody)]
struct UpdateBody {
    /// Whether it is shut out.
    locked: Option<bool>,
    /// Whether it administers.
    admin: Option<bool>,
    /// The quota of its own drive; null for the installation's.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u64>)]
    quota_bytes: Option<Option<u64>>,
}

/// A password set by an administrator.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SetPasswordBody)]
struct PasswordBody {
    /// The password.
    new: String,
}
