//! The caller's own account: profile, password, app tokens.

use axum::Json as JsonAnswer;
use axum::extract::State;
use campusdisk_accounts::{
    About, Account, AppToken, DisplayName, Email, PasswordChange, Phone, ProfileUpdate, Scopes, TokenName,
    TokenRequest,
};
use http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::actor::{Caller, Scope};
use crate::error::{Problem, ProblemDocument, Result};
use crate::extract::{Json, Query, Segments};
use crate::list::{Items, ListQuery};
use crate::state::AppState;
use crate::wire::time;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(me, update))
        .routes(routes!(change_password))
        .routes(routes!(tokens, create_token))
        .routes(routes!(revoke_token))
}

/// The caller's account.
#[utoipa::path(get, path = "/api/v1/me", tag = "accounts", responses((status = 200, body = AccountAnswer)))]
async fn me(State(state): State<AppState>, caller: Caller) -> Result<JsonAnswer<AccountAnswer>> {
    caller.require(Scope::Read)?;
    let account = state.accounts()?.me(&caller.principal()?.account).await?;
    Ok(JsonAnswer(AccountAnswer::from(&account)))
}

/// Changes the caller's profile.
#[utoipa::path(
    patch, path = "/api/v1/me", tag = "accounts", request_body = ProfileBody,
    responses((status = 200, body = AccountAnswer), (status = 409, body = ProblemDocument), (status = 422, body = ProblemDocument)),
)]
async fn update(
    State(state): State<AppState>,
    caller: Caller,
    Json(body): Json<ProfileBody>,
) -> Result<JsonAnswer<AccountAnswer>> {
    caller.require(Scope::Account)?;
    let update = ProfileUpdate {
        display_name: body.display_name.as_deref().map(DisplayName::parse).transpose()?,
        email: match body.email {
            Some(Some(email)) => Some(Some(Email::parse(&email)?)),
            Some(None) => Some(None),
            None => None,
        },
        phone: body.phone.as_deref().map(Phone::parse).transpose()?,
        about: body.about.as_deref().map(About::parse).transpose()?,
    };
    let account = state
        .accounts()?
        .update_profile(&caller.principal()?.account, update)
        .await?;
    Ok(JsonAnswer(AccountAnswer::from(&account)))
}

/// Changes the caller's password; their other sessions end.
#[utoipa::path(
    put, path = "/api/v1/me/password", tag = "accounts", request_body = PasswordBody,
    responses((status = 204), (status = 403, body = ProblemDocument), (status = 422, body = ProblemDocument), (status = 429, body = ProblemDocument)),
)]
async fn change_password(
    State(state): State<AppState>,
    caller: Caller,
    Json(body): Json<PasswordBody>,
) -> Result<StatusCode> {
    caller.require(Scope::Account)?;
    match state
        .accounts()?
        .change_password(caller.principal()?, &body.current, &body.new)
        .await?
    {
        PasswordChange::Done => Ok(StatusCode::NO_CONTENT),
        PasswordChange::Wrong => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "wrong_password",
            "the current password is another",
        )),
        PasswordChange::Throttled { retry_after } => Err(Problem::throttled(retry_after)),
    }
}

/// The caller's app tokens, without their secrets.
#[utoipa::path(
    get, path = "/api/v1/me/tokens", tag = "accounts",
    params(("limit" = Option<u32>, Query), ("after" = Option<String>, Query)),
    responses((status = 200, body = Items<TokenBody>)),
)]
async fn tokens(
    State(state): State<AppState>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<JsonAnswer<Items<TokenBody>>> {
    caller.require(Scope::Account)?;
    let tokens = state.accounts()?.tokens(&caller.principal()?.account).await?;
    let tokens = tokens.iter().map(|token| TokenBody::new(token, None)).collect();
    Ok(JsonAnswer(Items::of_all(tokens, &query, &state, |token| {
        &token.id
    })?))
}

/// Makes an app token. Its secret is told only here.
#[utoipa::path(
    post, path = "/api/v1/me/tokens", tag = "accounts", request_body = NewTokenBody,
    responses((status = 201, body = TokenBody), (status = 403, body = ProblemDocument), (status = 422, body = ProblemDocument)),
)]
async fn create_token(
    State(state): State<AppState>,
    caller: Caller,
    Json(body): Json<NewTokenBody>,
) -> Result<(StatusCode, JsonAnswer<TokenBody>)> {
    caller.require(Scope::Account)?;
    let request = TokenRequest {
        name: TokenName::parse(&body.name)?,
        scopes: body.scopes.map(Scopes::parse).transpose()?,
        expires: time("expires", body.expires.as_deref())?,
    };
    let issued = state
        .accounts()?
        .create_token(caller.principal()?, request)
        .await?;
    let secret = issued.secret.expose().to_owned();
    Ok((
        StatusCode::CREATED,
        JsonAnswer(TokenBody::new(&issued.token, Some(secret))),
    ))
}

/// Revokes an app token.
#[utoipa::path(
    delete, path = "/api/v1/me/tokens/{id}", tag = "accounts", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemDocument)),
)]
async fn revoke_token(
    State(state): State<AppState>,
    caller: Caller,
    Segments(id): Segments<String>,
) -> Result<StatusCode> {
    caller.require(Scope::Account)?;
    state
        .accounts()?
        .revoke_token(&caller.principal()?.account, id.parse()?)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An account as its owner and administrators see it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Account)]
pub(crate) struct AccountBody {
    /// Its id.
    id: String,
    /// What its owner signs in with.
    username: String,
    /// Its mail address.
    email: Option<String>,
    /// What others read.
    display_name: String,
    /// How to call its owner.
    phone: String,
    /// What its owner says of themselves.
    about: String,
    /// Whether it administers.
    admin: bool,
    /// Whether it is shut out.
    locked: bool,
    /// The quota of its own drive; null is the installation's.
    quota_bytes: Option<u64>,
    /// When it was made.
    created: String,
}

impl From<&Account> for AccountBody {
    fn from(account: &Account) -> Self {
        Self {
            id: account.id.to_string(),
            username: account.username.to_string(),
            email: account.email.as_ref().map(ToString::to_string),
            display_name: account.display_name.to_string(),
            phone: account.phone.to_string(),
            about: account.about.to_string(),
            admin: account.admin,
            locked: account.locked,
            quota_bytes: account.quota_bytes,
            created: account.created.to_string(),
        }
    }
}

/// An answer that gives an account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccountAnswer {
    /// The account.
    account: AccountBody,
}

impl From<&Account> for AccountAnswer {
    fn from(account: &Account) -> Self {
        Self {
            account: account.into(),
        }
    }
}

/// What changes of a profile; what is missing stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ProfileBody {
    /// What others read.
    display_name: Option<String>,
    /// The mail address; null takes it away.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    email: Option<Option<String>>,
    /// How to call the owner.
    phone: Option<String>,
    /// What the owner says of themselves.
    about: Option<String>,
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChangePasswordBody)]
struct PasswordBody {
    /// The one now.
    current: String,
    /// The one from now on.
    new: String,
}

/// An app token to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTokenBody {
    /// What it is for.
    name: String,
    /// `read`, `write`, `share`, `account`, `admin`; the first three without it.
    scopes: Option<Vec<String>>,
    /// When it ends.
    expires: Option<String>,
}

/// An app token.
#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
struct TokenBody {
    /// Its id.
    id: String,
    /// What it is for.
    name: String,
    /// Its secret, only where it was just made.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// What it may do.
    scopes: Vec<&'static str>,
    /// When it was made.
    created: String,
    /// When it ends; null when it is revoked.
    expires: Option<String>,
}

impl TokenBody {
    fn new(token: &AppToken, secret: Option<String>) -> Self {
        Self {
            id: token.id.to_string(),
            name: token.name.as_str().to_owned(),
            token: secret,
            scopes: token
                .scopes
                .iter()
                .map(campusdisk_accounts::Scope::as_str)
                .collect(),
            created: token.created.to_string(),
            expires: token.expires.map(|expires| expires.to_string()),
        }
    }
}

/// A field that may be missing, null, or there: missing leaves as it is, null takes away.
pub(crate) fn nullable<'de, T, D>(deserializer: D) -> std::result::Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_can_be_missing_null_or_there() {
        #[derive(Deserialize)]
        struct Body {
            #[serde(default, deserialize_with = "nullable")]
            quota: Option<Option<u64>>,
        }
        let read = |text| serde_json::from_str::<Body>(text).unwrap().quota;
        assert_eq!(read("{}"), None);
        assert_eq!(read("{\"quota\":null}"), Some(None));
        assert_eq!(read("{\"quota\":5}"), Some(Some(5)));
    }
}
