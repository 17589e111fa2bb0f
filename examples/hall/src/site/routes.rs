//! The settings over HTTP, for administrators.

use std::sync::Arc;

use axum::{Extension, Json as JsonAnswer};
use campusdisk_axum::{AdminCaller, HostRoutes, Json, Problem};
use http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::overview::{self, GroupBody};
use super::{FaceUpdate, HallName, Language, Site};
use crate::config::Config;
use crate::demo::Demo;

/// What the hall's own routes work on.
#[derive(Debug)]
pub(crate) struct Hall {
    pub(crate) config: Config,
    pub(crate) site: Arc<Site>,
    pub(crate) demo: Demo,
}

/// The hall's own routes. They find the [`Hall`] in an extension.
pub(crate) fn routes() -> HostRoutes {
    HostRoutes::new()
        .routes(routes!(show, change))
        .routes(routes!(fill))
}

/// How this hall is set: its name and language, and the configuration without its secrets.
#[utoipa::path(
    get, path = "/api/v1/admin/settings", tag = "administration",
    responses((status = 200, body = SettingsBody)),
)]
async fn show(_: AdminCaller, hall: Extension<Arc<Hall>>) -> Result<JsonAnswer<SettingsBody>, Problem> {
    SettingsBody::of(&hall).map(JsonAnswer)
}

/// Changes the hall's name or language; what is missing stays. What the configuration says can't be changed here (409).
#[utoipa::path(
    patch, path = "/api/v1/admin/settings", tag = "administration", request_body = FaceBody,
    responses((status = 200, body = SettingsBody), (status = 409), (status = 422)),
)]
async fn change(
    _: AdminCaller,
    hall: Extension<Arc<Hall>>,
    Json(body): Json<FaceBody>,
) -> Result<JsonAnswer<SettingsBody>, Problem> {
    let asked = [
        ("name", body.name.is_some()),
        ("language", body.language.is_some()),
    ];
    let fixed = hall.site.fixed();
    if let Some((field, _)) = asked
        .iter()
        .find(|(field, asked)| *asked && fixed.contains(field))
    {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "fixed_by_configuration",
            format!("the configuration says page.{field}; it can be changed there only"),
        ));
    }
    let update = FaceUpdate {
        name: body.name.as_deref().map(HallName::parse).transpose()?,
        language: body.language,
    };
    hall.site.change(update).await?;
    SettingsBody::of(&hall).map(JsonAnswer)
}

/// Fills the caller's drive with content to look at, and adds some people whose passwords nobody knows. A run that was cut short
/// is finished; where everything is there, nothing happens (200).
#[utoipa::path(
    post, path = "/api/v1/admin/demo", tag = "administration", request_body = DemoBody,
    responses((status = 201, body = DemoAnswer), (status = 200, body = DemoAnswer)),
)]
async fn fill(
    AdminCaller(caller): AdminCaller,
    hall: Extension<Arc<Hall>>,
    Json(body): Json<DemoBody>,
) -> Result<(StatusCode, JsonAnswer<DemoAnswer>), Problem> {
    let made = hall.demo.fill(&caller.actor().account, body.language).await?;
    let status = match made.now {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    let answer = DemoAnswer {
        folder: made.folder.to_string(),
        made: made.now,
    };
    Ok((status, JsonAnswer(answer)))
}

/// What the demonstration is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DemoBody {
    /// Its language.
    language: Language,
}

/// The demonstration.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Demo)]
struct DemoAnswer {
    /// The folder that everything lies in.
    folder: String,
    /// Whether this request made something of it.
    made: bool,
}

/// What is to change of a hall's face.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UpdateSettingsBody)]
struct FaceBody {
    /// The name: 1 to 100 characters.
    name: Option<String>,
    /// The language for people who have chosen none; null for their browser's.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Language>)]
    language: Option<Option<Language>>,
}

/// How this hall is set.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Settings)]
struct SettingsBody {
    /// What it is called.
    name: String,
    /// The language for people who have chosen none; null for their browser's.
    language: Option<Language>,
    /// Which of `name` and `language` the configuration says; these can't be changed here.
    fixed: Vec<&'static str>,
    /// The configuration.
    groups: Vec<GroupBody>,
}

impl SettingsBody {
    fn of(hall: &Hall) -> Result<Self, Problem> {
        let face = hall.site.face();
        let groups = overview::groups(&hall.config).map_err(|failure| {
            tracing::error!(%failure, "the settings can't be shown");
            Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "the settings can't be shown",
            )
        })?;
        Ok(Self {
            name: face.name,
            language: face.language,
            fixed: face.fixed,
            groups,
        })
    }
}

/// A field that may be missing, null, or there.
fn nullable<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}
