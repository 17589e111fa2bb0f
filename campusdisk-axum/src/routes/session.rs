//! Signing in and out, and making accounts.

use axum::Json as JsonAnswer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use campusdisk_accounts::{Device, Lifetime, Registrant, SignIn, SignInRequest, SignedIn, UserAgent};
use http::{HeaderMap, StatusCode, Uri, header};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::accounts::AccountAnswer;
use crate::client::Client;
use crate::cookies::{self, CookieScope};
use crate::error::{Problem, ProblemDocument, Result};
use crate::extract::Json;
use crate::origin;
use crate::state::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(setup))
        .routes(routes!(register))
        .routes(routes!(sign_in, sign_out))
        .routes(routes!(answer_challenge))
}

/// Makes the first administrator.
#[utoipa::path(
    post, path = "/api/v1/setup", tag = "accounts", request_body = SetupBody,
    responses(
        (status = 201, body = AccountAnswer), (status = 403, body = ProblemDocument), (status = 404, body = ProblemDocument),
        (status = 422, body = ProblemDocument),
    ),
)]
async fn setup(
    State(state): State<AppState>,
    client: Client,
    cookies: CookieScope,
    uri: Uri,
    headers: HeaderMap,
    Json(body): Json<SetupBody>,
) -> Result<Response> {
    origin::check_origin(&uri, &headers)?;
    let registrant = Registrant {
        username: &body.username,
        password: &body.password,
        email: body.email.as_deref(),
    };
    let device = Device {
        address: Some(client.address),
        user_agent: user_agent(&headers).map(UserAgent::cut).unwrap_or_default(),
    };
    let signed_in = state.accounts()?.setup(&body.token, registrant, device).await?;
    Ok(welcome(&state, &cookies, StatusCode::CREATED, &signed_in))
}

/// Makes an account, where people may do that themselves.
#[utoipa::path(
    post, path = "/api/v1/accounts", tag = "accounts", request_body = RegisterBody,
    responses(
        (status = 201, body = AccountAnswer), (status = 403, body = ProblemDocument), (status = 409, body = ProblemDocument),
        (status = 422, body = ProblemDocument),
    ),
)]
async fn register(
    State(state): State<AppState>,
    uri: Uri,
    headers: HeaderMap,
    Json(body): Json<RegisterBody>,
) -> Result<(StatusCode, JsonAnswer<AccountAnswer>)> {
    origin::check_origin(&uri, &headers)?;
    let registrant = Registrant {
        username: &body.username,
        password: &body.password,
        email: body.email.as_deref(),
    };
    let account = state.accounts()?.register(registrant).await?;
    Ok((StatusCode::CREATED, JsonAnswer(AccountAnswer::from(&account))))
}

/// Signs in.
#[utoipa::path(
    post, path = "/api/v1/session", tag = "accounts", request_body = SignInBody,
    responses(
        (status = 200, body = AccountAnswer), (status = 401, body = ProblemDocument), (status = 409, body = ProblemDocument),
        (status = 423, body = ProblemDocument), (status = 429, body = ProblemDocument),
    ),
)]
async fn sign_in(
    State(state): State<AppState>,
    client: Client,
    cookies: CookieScope,
    uri: Uri,
    headers: HeaderMap,
    Json(body): Json<SignInBody>,
) -> Result<Response> {
    origin::check_origin(&uri, &headers)?;
    let request = SignInRequest {
        username: &body.username,
        password: &body.password,
        lifetime: if body.remember {
            Lifetime::Remembered
        } else {
            Lifetime::Browser
        },
        address: Some(client.address),
        user_agent: user_agent(&headers),
    };
    let outcome = state.accounts()?.sign_in(request).await?;
    admit(&state, &cookies, outcome)
}

/// Chooses the password that signing in asked for, and signs in.
#[utoipa::path(
    post, path = "/api/v1/session/challenge", tag = "accounts", request_body = ChallengeBody,
    responses((status = 200, body = AccountAnswer), (status = 401, body = ProblemDocument), (status = 422, body = ProblemDocument)),
)]
async fn answer_challenge(
    State(state): State<AppState>,
    cookies: CookieScope,
    uri: Uri,
    headers: HeaderMap,
    Json(body): Json<ChallengeBody>,
) -> Result<Response> {
    origin::check_origin(&uri, &headers)?;
    let outcome = state
        .accounts()?
        .answer_challenge(&body.challenge, &body.new)
        .await?;
    admit(&state, &cookies, outcome)
}

/// Signs out: the session is dead on the server.
#[utoipa::path(delete, path = "/api/v1/session", tag = "accounts", responses((status = 204)))]
async fn sign_out(
    State(state): State<AppState>,
    cookies: CookieScope,
    headers: HeaderMap,
) -> Result<Response> {
    if let Some(token) = cookies::read(&headers, cookies::SESSION) {
        state.accounts()?.sign_out(token).await?;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    response
        .headers_mut()
        .append(header::SET_COOKIE, cookies.forget(cookies::SESSION, ""));
    Ok(response)
}

/// How the client calls itself; a name that is no ASCII is none.
fn user_agent(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::USER_AGENT)?.to_str().ok()
}

fn admit(state: &AppState, cookies: &CookieScope, outcome: SignIn) -> Result<Response> {
    match outcome {
        SignIn::Done(signed_in) => Ok(welcome(state, cookies, StatusCode::OK, &signed_in)),
        SignIn::Wrong => Err(Problem::unauthenticated_by(
            "the user name or the password is wrong",
        )),
        SignIn::Locked => Err(Problem::new(
            StatusCode::LOCKED,
            "locked",
            "the account is locked",
        )),
        SignIn::PasswordChangeRequired { challenge } => {
            let problem = Problem::new(
                StatusCode::CONFLICT,
                "password_change_required",
                "choose a new password first",
            );
            Err(problem.with_challenge(challenge.expose().to_owned()))
        }
        SignIn::Throttled { retry_after } => Err(Problem::throttled(retry_after)),
    }
}

fn welcome(state: &AppState, cookies: &CookieScope, status: StatusCode, signed_in: &SignedIn) -> Response {
    let session = &signed_in.session;
    let lasts = match session.lifetime {
        Lifetime::Browser => None,
        Lifetime::Remembered => Some(session.expires.since(state.disk().now())),
    };
    let mut response = (status, JsonAnswer(AccountAnswer::from(&signed_in.account))).into_response();
    let cookie = cookies.keep(cookies::SESSION, session.token.expose(), "", lasts);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response
}

/// Who is to administer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetupBody {
    /// The token that the server printed.
    token: String,
    /// The user name.
    username: String,
    /// The password.
    password: String,
    /// The mail address.
    email: Option<String>,
}

/// Who wants an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RegisterBody {
    /// The user name.
    username: String,
    /// The password.
    password: String,
    /// The mail address.
    email: Option<String>,
}

/// Who signs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SignInBody {
    /// The user name.
    username: String,
    /// The password.
    password: String,
    /// Whether to stay signed in when the browser closes.
    #[serde(default)]
    remember: bool,
}

/// The answer to a challenge.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChallengeBody {
    /// The challenge.
    challenge: String,
    /// The new password.
    new: String,
}
