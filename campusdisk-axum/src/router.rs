//! The table of routes.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use campusdisk_core::CampusDisk;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;

use crate::actor::SignOn;
use crate::cookies;
use crate::edge::Api;
use crate::error::Problem;
use crate::options::HttpOptions;
use crate::probe::Probe;
use crate::routes;
use crate::state::AppState;
use crate::tus::headers::{TUS_RESUMABLE, VERSION};

/// What a router is made of.
#[non_exhaustive]
pub struct HttpParts {
    disk: CampusDisk,
    who: Who,
    options: HttpOptions,
    probes: Vec<Arc<dyn Probe>>,
    more: HostRoutes,
}

impl fmt::Debug for HttpParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpParts")
            .field("disk", &self.disk)
            .field("who", &self.who)
            .field("options", &self.options)
            .field("probes", &self.probes)
            .finish_non_exhaustive()
    }
}

/// Routes of the host's own, behind the same edge as the API's: origins are checked, bodies limited, and a [`Problem`] is
/// answered as a problem document. Handlers may extract a [`Caller`](crate::Caller), an [`AdminCaller`](crate::AdminCaller) and
/// a [`Json`](crate::Json) body.
pub type HostRoutes = OpenApiRouter<AppState>;

#[derive(Debug)]
enum Who {
    Host(Arc<dyn SignOn>),
    #[cfg(feature = "accounts")]
    Accounts(campusdisk_accounts::Accounts),
}

impl HttpParts {
    /// With a login of the host's own; routes for accounts and sessions are not mounted.
    pub fn with_sign_on(disk: CampusDisk, sign_on: Arc<dyn SignOn>) -> Self {
        Self {
            disk,
            who: Who::Host(sign_on),
            options: HttpOptions::default(),
            probes: Vec::new(),
            more: HostRoutes::new(),
        }
    }

    /// With the accounts of `campusdisk-accounts`.
    #[cfg(feature = "accounts")]
    pub fn with_accounts(disk: CampusDisk, accounts: campusdisk_accounts::Accounts) -> Self {
        Self {
            disk,
            who: Who::Accounts(accounts),
            options: HttpOptions::default(),
            probes: Vec::new(),
            more: HostRoutes::new(),
        }
    }

    /// Sets limits and trust.
    #[must_use]
    pub fn options(mut self, options: HttpOptions) -> Self {
        self.options = options;
        self
    }

    /// Adds a part that `/readyz` asks about.
    #[must_use]
    pub fn probe(mut self, probe: Arc<dyn Probe>) -> Self {
        self.probes.push(probe);
        self
    }

    /// Adds routes of the host's own to the API and to its document.
    #[must_use]
    pub fn routes(mut self, routes: HostRoutes) -> Self {
        self.more = self.more.merge(routes);
        self
    }
}

/// The whole API, to be served or to be nested under any prefix.
///
/// Serve it with `into_make_service_with_connect_info::<SocketAddr>()`: throttles and shares for certain networks need the
/// client's address.
pub fn router(parts: HttpParts) -> Router {
    // One fallback and no routes: methods are overridden before a route is looked for.
    Router::new().fallback_service(api(parts))
}

/// The same as a service, for a host that has no other routes, or finds its own: each router on the way costs every request a
/// little. The host puts a [`ConnectInfo`](axum::extract::ConnectInfo) with the client's address among a request's extensions.
pub fn api(mut parts: HttpParts) -> Api {
    let more = std::mem::take(&mut parts.more);
    let (routes, document) = table(&parts.who).merge(more).split_for_parts();
    let document = name_operations(document);
    let state = state(parts);
    let routes = routes
        .route(
            "/api/v1/openapi.json",
            axum::routing::get(|| async { axum::Json(document) }),
        )
        .fallback(|| async { Problem::not_found() })
        .with_state(state.clone());
    Api::new(routes, state)
}

/// The OpenAPI document of the API with the accounts of `campusdisk-accounts`.
#[cfg(feature = "accounts")]
pub fn openapi() -> Document {
    openapi_with(HostRoutes::new())
}

/// The OpenAPI document of the API with the accounts of `campusdisk-accounts` and with a host's own routes.
#[cfg(feature = "accounts")]
pub fn openapi_with(routes: HostRoutes) -> Document {
    name_operations(all_routes().merge(routes).into_openapi())
}

/// The OpenAPI document of the API with a login of the host's own.
pub fn openapi_without_accounts() -> Document {
    name_operations(common_routes().into_openapi())
}

/// Names every operation by its method and path: several handlers have the same name, and generators of clients need
/// each only once.
fn name_operations(mut document: Document) -> Document {
    for (path, item) in &mut document.paths.paths {
        let steps = path
            .trim_start_matches("/api/v1")
            .split(|character: char| !character.is_ascii_alphanumeric())
            .filter(|step| !step.is_empty());
        let place = steps.collect::<Vec<_>>().join("_");
        let operations = [
            ("get", &mut item.get),
            ("put", &mut item.put),
            ("post", &mut item.post),
            ("delete", &mut item.delete),
            ("options", &mut item.options),
            ("head", &mut item.head),
            ("patch", &mut item.patch),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                operation.operation_id = Some(format!("{method}_{place}"));
            }
        }
    }
    document
}

#[derive(OpenApi)]
#[openapi(
    info(title = "CampusDisk", description = "Files of a university portal"),
    modifiers(&SignOns), security(("session" = []), ("token" = []), ("name_and_token" = [])),
)]
struct ApiDocument;

/// How a request says who sends it.
struct SignOns;

impl Modify for SignOns {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_with(Default::default);
        let cookie = ApiKey::Cookie(ApiKeyValue::new(cookies::SESSION));
        components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
        components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        components.add_security_scheme(
            "name_and_token",
            SecurityScheme::Http(Http::new(HttpAuthScheme::Basic)),
        );
    }
}

fn table(who: &Who) -> OpenApiRouter<AppState> {
    match who {
        Who::Host(_) => common_routes(),
        #[cfg(feature = "accounts")]
        Who::Accounts(_) => all_routes(),
    }
}

#[cfg(feature = "accounts")]
fn all_routes() -> OpenApiRouter<AppState> {
    account_tables()
        .into_iter()
        .fold(common_routes(), OpenApiRouter::merge)
}

fn common_routes() -> OpenApiRouter<AppState> {
    let whole = OpenApiRouter::with_openapi(ApiDocument::openapi());
    common_tables().into_iter().fold(whole, OpenApiRouter::merge)
}

#[cfg(feature = "accounts")]
fn account_tables() -> Vec<OpenApiRouter<AppState>> {
    vec![
        routes::session::routes(),
        routes::sessions::routes(),
        routes::accounts::routes(),
        routes::admin::routes(),
        routes::groups::routes(),
    ]
}

fn common_tables() -> Vec<OpenApiRouter<AppState>> {
    let resumable = routes::uploads::routes()
        .merge(routes::drop_uploads::routes())
        .layer(axum::middleware::map_response(name_tus_version));
    vec![
        routes::health::routes(),
        routes::drives::routes(),
        routes::nodes::routes(),
        routes::content::routes(),
        routes::downloads::routes(),
        routes::versions::routes(),
        routes::trash::routes(),
        routes::search::routes(),
        resumable,
        routes::shares::routes(),
        routes::visit::routes(),
        routes::reserved::routes(),
    ]
}

fn state(parts: HttpParts) -> AppState {
    let HttpParts {
        disk,
        who,
        options,
        probes,
        more: _,
    } = parts;
    match who {
        Who::Host(sign_on) => AppState::new(disk, sign_on, options, probes),
        #[cfg(feature = "accounts")]
        Who::Accounts(accounts) => AppState::with_accounts(disk, accounts, options, probes),
    }
}

/// tus 1.0.0: the header is in every answer, refusals too.
async fn name_tus_version(mut response: Response) -> Response {
    response.headers_mut().insert(TUS_RESUMABLE, VERSION);
    response
}

#[cfg(all(test, feature = "accounts"))]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Merging keeps one of two bodies that have one name, and says nothing.
    #[test]
    fn two_different_bodies_have_two_names_in_the_document() {
        let mut known = BTreeMap::new();
        for table in common_tables().into_iter().chain(account_tables()) {
            let schemas = table.into_openapi().components.unwrap_or_default().schemas;
            for (name, schema) in schemas {
                let schema = serde_json::to_value(schema).unwrap();
                let first = known.entry(name.clone()).or_insert_with(|| schema.clone());
                assert_eq!(*first, schema, "{name} names two bodies");
            }
        }
        assert!(known.contains_key("Account") && known.contains_key("Node"));
    }
}
