//! The OpenAPI document.

use crate::app::App;

#[tokio::test]
async fn the_document_names_every_route_of_the_contract() {
    let app = App::new().await;
    let document = app.get("/api/v1/openapi.json").await_ok(200).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    for (path, methods) in [
        ("/healthz", &["get"][..]),
        ("/readyz", &["get"]),
        ("/api/v1/setup", &["post"]),
        ("/api/v1/accounts", &["post"]),
        ("/api/v1/session", &["post", "delete"]),
        ("/api/v1/me", &["get", "patch"]),
        ("/api/v1/me/password", &["put"]),
        ("/api/v1/me/tokens", &["get", "post"]),
        ("/api/v1/me/tokens/{id}", &["delete"]),
        ("/api/v1/admin/accounts", &["get"]),
        ("/api/v1/admin/accounts/{id}", &["get", "patch"]),
        ("/api/v1/admin/accounts/{id}/password", &["put"]),
        ("/api/v1/downloads", &["get"]),
        ("/api/v1/admin/downloads", &["get"]),
        ("/api/v1/drives", &["get"]),
        ("/api/v1/nodes/{id}", &["get", "patch", "delete"]),
        ("/api/v1/nodes/{id}/children", &["get", "post"]),
        ("/api/v1/nodes/{id}/children/{name}", &["get", "put"]),
        ("/api/v1/nodes/{id}/content", &["get", "put"]),
        ("/api/v1/nodes/{id}/copy", &["post"]),
        ("/api/v1/nodes/{id}/versions", &["get"]),
        ("/api/v1/nodes/{id}/versions/{number}/restore", &["post"]),
        ("/api/v1/nodes/{id}/shares", &["post"]),
        ("/api/v1/archives", &["post"]),
        ("/api/v1/search", &["get"]),
        ("/api/v1/trash", &["get", "delete"]),
        ("/api/v1/trash/{id}", &["delete"]),
        ("/api/v1/trash/{id}/restore", &["post"]),
        ("/api/v1/uploads", &["get", "post", "options"]),
        ("/api/v1/uploads/{id}", &["head", "patch", "delete"]),
        ("/api/v1/shares", &["get"]),
        ("/api/v1/shares/{id}", &["delete"]),
        ("/s/{token}", &["get"]),
        ("/s/{token}/unlock", &["post"]),
        ("/s/{token}/content", &["get"]),
        ("/s/{token}/children", &["get"]),
        ("/s/{token}/children/{name}", &["get", "put"]),
        ("/s/{token}/nodes/{id}/content", &["get"]),
        ("/s/{token}/save", &["post"]),
        ("/s/{token}/uploads", &["post", "options"]),
        ("/s/{token}/uploads/{id}", &["head", "patch", "delete"]),
    ] {
        for method in methods {
            assert!(document["paths"][path][method].is_object(), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn every_schema_that_is_referred_to_is_there() {
    let app = App::new().await;
    let document = app.get("/api/v1/openapi.json").await_ok(200).await;
    let text = document.to_string();
    for reference in text.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
    }
}

#[tokio::test]
async fn every_operation_has_a_name_of_its_own() {
    let app = App::new().await;
    let document = app.get("/api/v1/openapi.json").await_ok(200).await;
    let mut names = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if let Some(name) = operation.get("operationId") {
                assert!(
                    names.insert(name.as_str().unwrap().to_owned()),
                    "{method} {path}: {name}"
                );
            }
        }
    }
    assert!(names.contains("get_nodes_id_children"), "{names:?}");
}
