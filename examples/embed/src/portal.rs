//! A portal that has its own login and mounts CampusDisk under `/disk`.

use std::path::Path;
use std::sync::Arc;

use axum::{Router, http::request::Parts, routing::get};
use campusdisk_axum::{Caller, HttpParts, Problem, SignOn, router};
use campusdisk_core::{AccountId, Actor, CampusDisk, Identity, Policy, Result, Seams, storage::StoreName};
use campusdisk_local::{LocalConfig, LocalStore};
use campusdisk_sql::SqliteDatabase;

/// Knows whom the portal's front proxy let in. In a real portal: looks at its session, asks its database.
#[derive(Debug)]
struct Portal;

#[async_trait::async_trait]
impl SignOn for Portal {
    async fn identify(&self, request: &Parts) -> Result<Option<Caller>, Problem> {
        let Some(name) = request.headers.get("x-portal-user") else {
            return Ok(None);
        };
        let account = AccountId::parse(name.to_str().unwrap_or_default())?;
        Ok(self.actor(&account).await?.map(Caller::new))
    }
}

#[async_trait::async_trait]
impl Identity for Portal {
    async fn actor(&self, account: &AccountId) -> Result<Option<Actor>> {
        Ok(Some(Actor::new(account.clone(), account.as_str())))
    }
}

/// The portal's pages, with everybody's files under `/disk`.
pub(crate) async fn app(data: &Path) -> Result<Router> {
    let store = LocalStore::open(LocalConfig::new(StoreName::parse("primary")?, data.join("blobs"))).await?;
    let catalog = SqliteDatabase::open(data.join("campusdisk.db")).await?.catalog();
    let seams = Seams::in_process(Arc::new(store), Arc::new(catalog), Arc::new(Portal));
    let disk = CampusDisk::open(seams, Policy::default()).await?;
    disk.run_background();
    let files = router(HttpParts::with_sign_on(disk, Arc::new(Portal)));
    Ok(Router::new()
        .route("/", get(|| async { "the portal" }))
        .nest("/disk", files))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use http_body_util::BodyExt as _;
    use serde_json::Value;
    use tower::ServiceExt as _;

    use super::*;

    const README: &str = include_str!("../../../README.md");

    async fn ask(
        app: &Router,
        method: &str,
        path: &str,
        user: Option<&str>,
        body: &'static str,
    ) -> (StatusCode, Vec<u8>) {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(user) = user {
            request = request.header("x-portal-user", user);
        }
        let response = app
            .clone()
            .oneshot(request.body(Body::from(body)).unwrap())
            .await
            .unwrap();
        let status = response.status();
        (
            status,
            response.into_body().collect().await.unwrap().to_bytes().to_vec(),
        )
    }

    #[tokio::test]
    async fn people_of_the_portal_have_files_and_strangers_have_none() {
        let data = tempfile::tempdir().unwrap();
        let app = app(data.path()).await.unwrap();
        let ada = Some("ada");
        let (status, body) = ask(&app, "GET", "/disk/api/v1/drives", ada, "").await;
        assert_eq!(status, 200);
        let drives: Value = serde_json::from_slice(&body).unwrap();
        let root = drives["items"][0]["root"].as_str().unwrap().to_owned();
        let children = format!("/disk/api/v1/nodes/{root}/children");

        let (status, body) = ask(&app, "PUT", &format!("{children}/notes.txt"), ada, "hello").await;
        assert_eq!(status, 201, "{}", String::from_utf8_lossy(&body));
        let node: Value = serde_json::from_slice(&body).unwrap();
        let (_, body) = ask(&app, "GET", &children, ada, "").await;
        let listed: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(listed["items"][0]["name"], "notes.txt");

        let content = format!("/disk/api/v1/nodes/{}/content", node["id"].as_str().unwrap());
        assert_eq!(
            ask(&app, "GET", &content, ada, "").await,
            (StatusCode::OK, b"hello".to_vec())
        );
        assert_eq!(ask(&app, "GET", &content, Some("eve"), "").await.0, 404);
        assert_eq!(ask(&app, "GET", &content, None, "").await.0, 401);
        assert_eq!(ask(&app, "GET", "/", None, "").await.1, b"the portal");
    }

    #[test]
    fn the_readme_shows_this_very_code() {
        let code = include_str!("portal.rs");
        let (_, code) = code.split_once("\n\n").unwrap();
        let (code, _) = code.split_once("\n#[cfg(test)]").unwrap();
        let (_, shown) = README.split_once("<!-- embed:begin -->\n").unwrap();
        let (shown, _) = shown.split_once("<!-- embed:end -->").unwrap();
        assert_eq!(
            shown,
            format!("```rust\n{code}```\n"),
            "copy src/portal.rs between the marks of README.md"
        );
    }
}
