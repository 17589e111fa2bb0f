//! The router with a login of its host's own.

use std::sync::Arc;

use async_trait::async_trait;
use campusdisk_axum::{AdminCaller, Caller, HostRoutes, HttpParts, Json, Problem, Scope, SignOn, router};
use campusdisk_core::memory::MemoryIdentity;
use campusdisk_core::{AccountId, Actor, Policy};
use http::request::Parts;
use serde_json::{Value, json};

use crate::app::{Asking, disk};

/// A host that trusts a header of its own.
#[derive(Debug)]
struct HeaderSignOn;

#[async_trait]
impl SignOn for HeaderSignOn {
    async fn identify(&self, request: &Parts) -> Result<Option<Caller>, Problem> {
        let Some(name) = request.headers.get("x-user").and_then(|name| name.to_str().ok()) else {
            return Ok(None);
        };
        assert_ne!(name, "chaos", "a login that panics");
        let account = AccountId::parse(name).map_err(|_| Problem::unauthenticated())?;
        let caller = Caller::new(Actor::new(account, name).with_admin(name == "root"));
        Ok(Some(match name {
            "reader" => caller.with_scopes([Scope::Read]),
            _ => caller,
        }))
    }
}

#[tokio::test]
async fn a_host_brings_its_own_login_and_no_routes_for_ours_are_there() {
    let disk = disk(Arc::new(MemoryIdentity::default()), Policy::default()).await;
    let router = router(HttpParts::with_sign_on(disk, Arc::new(HeaderSignOn)));
    let asking =
        |method: &str, uri: &str, user: &str| Asking::new(&router, method, uri).header("x-user", user);
    let drives = asking("GET", "/api/v1/drives", "ada").await_ok(200).await;
    let uri = format!(
        "/api/v1/nodes/{}/children/a.txt",
        drives["items"][0]["root"].as_str().unwrap()
    );
    asking("PUT", &uri, "ada").body("x").await_ok(201).await;
    asking("GET", &uri, "bob").await_problem(404, "not_found").await;
    asking("PUT", &uri, "reader")
        .body("x")
        .await_problem(403, "scope_missing")
        .await;
    Asking::new(&router, "GET", &uri)
        .await_problem(401, "unauthenticated")
        .await;
    for uri in [
        "/api/v1/session",
        "/api/v1/accounts",
        "/api/v1/setup",
        "/api/v1/me",
    ] {
        asking("POST", uri, "ada").await_problem(404, "not_found").await;
    }
}

#[tokio::test]
async fn a_handler_that_panics_is_answered_for() {
    let disk = disk(Arc::new(MemoryIdentity::default()), Policy::default()).await;
    let router = router(HttpParts::with_sign_on(disk, Arc::new(HeaderSignOn)));
    let asking = Asking::new(&router, "GET", "/api/v1/drives").header("x-user", "chaos");
    asking.await_problem(500, "internal").await;
}

async fn echo(AdminCaller(caller): AdminCaller, Json(said): Json<Value>) -> axum::Json<Value> {
    axum::Json(json!({"by": caller.actor().display_name, "said": said}))
}

#[tokio::test]
async fn a_host_s_own_routes_are_behind_the_same_edge() {
    let disk = disk(Arc::new(MemoryIdentity::default()), Policy::default()).await;
    let routes = HostRoutes::new().route("/api/v1/admin/echo", axum::routing::post(echo));
    let router = router(HttpParts::with_sign_on(disk, Arc::new(HeaderSignOn)).routes(routes));
    let asking = |user: &str| Asking::new(&router, "POST", "/api/v1/admin/echo").header("x-user", user);
    let answer = asking("root").json(&json!([1])).await_ok(200).await;
    assert_eq!(answer, json!({"by": "root", "said": [1]}));
    asking("ada")
        .json(&json!([1]))
        .await_problem(403, "forbidden")
        .await;
    asking("root").body("{").await_problem(400, "invalid_input").await;
    Asking::new(&router, "POST", "/api/v1/admin/echo")
        .await_problem(401, "unauthenticated")
        .await;
    asking("root")
        .header("content-encoding", "gzip")
        .json(&json!([1]))
        .await_problem(415, "unsupported_media_type")
        .await;
    Asking::new(&router, "GET", "/api/v1/drives")
        .header("x-user", "ada")
        .await_ok(200)
        .await;
}
