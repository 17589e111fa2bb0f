//! The HTTP adapter of CampusDisk for axum: the only crate that speaks HTTP to users.
//!
//! [`router`] makes the whole API of a [`CampusDisk`](campusdisk_core::CampusDisk) from [`HttpParts`]: files and folders, ranges and
//! conditional requests (RFC 9110), resumable uploads (tus 1.0.0), shares, trash, and, with the feature `accounts`, accounts
//! and sessions. It can be served as it is or nested under any prefix; every link in an answer is relative. Every refusal is
//! an `application/problem+json` (RFC 9457), and `/api/v1/openapi.json` describes it all.
//!
//! # Example: a portal mounts its students' files under its own login
//! ```
//! use std::sync::Arc;
//!
//! use axum::Router;
//! use campusdisk_axum::{Caller, HttpParts, Problem, SignOn, router};
//! use campusdisk_core::{AccountId, Actor, CampusDisk};
//! use http::request::Parts;
//!
//! #[derive(Debug)]
//! struct PortalLogin;
//!
//! #[async_trait::async_trait]
//! impl SignOn for PortalLogin {
//!     async fn identify(&self, request: &Parts) -> Result<Option<Caller>, Problem> {
//!         // Whatever the portal put there when it checked its own session.
//!         let student = request.extensions.get::<AccountId>().cloned();
//!         Ok(student.map(|id| Caller::new(Actor::new(id.clone(), id.as_str()))))
//!     }
//! }
//!
//! fn portal(disk: CampusDisk) -> Router {
//!     Router::new().nest("/files", router(HttpParts::with_sign_on(disk, Arc::new(PortalLogin))))
//! }
//! ```
//!
//! How it is laid out: `router` is the table; `routes` are the handlers by concern; `edge` is what happens around each of them;
//! `content` renders the plan that core makes of a GET; `put` and `tus` take bytes in.

#[cfg(feature = "accounts")]
mod accounts;
mod actor;
mod body;
mod client;
mod conditional;
mod content;
mod cookies;
mod csv;
mod digest;
mod disposition;
mod edge;
mod elsewhere;
mod error;
mod extract;
mod io;
mod list;
mod media;
mod method;
mod multipart;
mod options;
mod origin;
mod page;
mod probe;
mod put;
mod router;
mod routes;
mod state;
mod tus;
mod wire;

#[cfg(feature = "accounts")]
pub use self::accounts::AccountsIdentity;
pub use self::actor::{AdminCaller, Caller, Scope, SignOn};
pub use self::edge::Api;
pub use self::error::Problem;
pub use self::extract::Json;
pub use self::io::IdleIo;
pub use self::method::keep_headers_only;
pub use self::options::{FrontServer, HttpOptions};
pub use self::probe::{Probe, StoreProbe};
pub use self::router::{HostRoutes, HttpParts, api, openapi_without_accounts, router};
#[cfg(feature = "accounts")]
pub use self::router::{openapi, openapi_with};
pub use self::state::AppState;
