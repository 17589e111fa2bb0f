//! A client of a hall: one session or token.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::{Value, json};

/// Where a hall listens; changes when it is started again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Base(Arc<Mutex<String>>);

impl Base {
    pub(crate) fn set(&self, base: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = base.to_owned();
    }

    pub(crate) fn get(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Sends requests as somebody.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Base,
    authorization: Option<String>,
    cookie: Option<String>,
}

/// What came back, whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
    asked: String,
}

impl Client {
    pub(crate) fn new(base: Base) -> Self {
        // Below the time after which a hall closes a connection that rests, or a request could meet its end.
        let http = reqwest::Client::builder()
            .pool_idle_timeout(Duration::from_secs(4))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build();
        Self {
            http: http.unwrap_or_default(),
            base,
            authorization: None,
            cookie: None,
        }
    }

    /// The same client, showing this app token.
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            authorization: Some(format!("Bearer {token}")),
            cookie: None,
            ..self.clone()
        }
    }

    /// The same client, sending this `Authorization`.
    pub fn with_authorization(&self, authorization: &str) -> Self {
        Self {
            authorization: Some(authorization.to_owned()),
            cookie: None,
            ..self.clone()
        }
    }

    /// The same client, sending this cookie.
    pub fn with_cookie(&self, cookie: &str) -> Self {
        Self {
            authorization: None,
            cookie: Some(cookie.to_owned()),
            ..self.clone()
        }
    }

    /// The same client, signed in as nobody.
    pub fn anonymous(&self) -> Self {
        Self {
            authorization: None,
            cookie: None,
            ..self.clone()
        }
    }

    /// The `Authorization` it sends.
    pub fn authorization(&self) -> Option<&str> {
        self.authorization.as_deref()
    }

    /// A path of the hall as an address; an address stays as it is.
    pub fn url(&self, path: &str) -> String {
        if path.starts_with("http://") {
            path.to_owned()
        } else {
            format!("{}{path}", self.base.get())
        }
    }

    /// The path of the hall that a relative or absolute address in the answer to a request for `path` means.
    pub fn resolve(&self, path: &str, address: &str) -> String {
        let asked = reqwest::Url::parse(&self.url(path)).expect("an address");
        let meant = asked.join(address).expect("an address").to_string();
        match meant.strip_prefix(&self.base.get()) {
            Some(path) => path.to_owned(),
            None => meant,
        }
    }

    /// The request, for what the shorter calls can't say.
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap_or_default();
        let mut request = self.http.request(method, self.url(path));
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value))
    }

    /// Sends a request and reads the whole answer, or says why there is none.
    pub async fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> reqwest::Result<Answer> {
        let response = self.request(method, path, headers).body(body).send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await?.to_vec();
        Ok(Answer {
            status,
            headers,
            body,
            asked: format!("{method} {path}"),
        })
    }

    /// Sends a request and reads the whole answer.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        match self.try_send(method, path, headers, body).await {
            Ok(answer) => answer,
            Err(error) => panic!("{method} {path}: {error:?}"),
        }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    /// GET with headers.
    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", path, headers, "").await
    }

    /// HEAD.
    pub async fn head(&self, path: &str) -> Answer {
        self.send("HEAD", path, &[], "").await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], "").await
    }

    /// A request with a JSON body.
    pub async fn json(&self, method: &str, path: &str, body: Value) -> Answer {
        self.send(
            method,
            path,
            &[("content-type", "application/json")],
            body.to_string(),
        )
        .await
    }

    /// POST of JSON.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.json("POST", path, body).await
    }

    /// PATCH of JSON.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.json("PATCH", path, body).await
    }

    /// The root folder of the caller's own drive.
    pub async fn root(&self) -> String {
        self.own_drive().await["root"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// The caller's own drive.
    pub async fn own_drive(&self) -> Value {
        self.get("/api/v1/drives").await.expect(200).json()["items"][0].clone()
    }

    /// Makes a folder; returns its id.
    pub async fn folder(&self, parent: &str, name: &str) -> String {
        let path = format!("/api/v1/nodes/{parent}/children");
        self.post(&path, json!({"name": name, "kind": "folder"}))
            .await
            .expect(201)
            .id()
    }

    /// Puts a file under a name that is as it stands in a path; returns its node.
    pub async fn put(&self, folder: &str, name: &str, bytes: impl Into<reqwest::Body>) -> Value {
        let answer = self
            .send(
                "PUT",
                &format!("/api/v1/nodes/{folder}/children/{name}"),
                &[],
                bytes,
            )
            .await;
        assert!(answer.status == 201 || answer.status == 200, "{answer:?}");
        answer.json()
    }

    /// The names of a folder's children, in order.
    pub async fn names(&self, folder: &str) -> Vec<String> {
        let listed = self
            .get(&format!("/api/v1/nodes/{folder}/children?limit=1000"))
            .await
            .expect(200)
            .json();
        let items = listed["items"].as_array().cloned().unwrap_or_default();
        items
            .iter()
            .map(|item| item["name"].as_str().unwrap_or_default().to_owned())
            .collect()
    }
}

impl Answer {
    /// Fails the test unless the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(
            self.status,
            status,
            "{}: {:?} {}",
            self.asked,
            self.headers,
            self.text()
        );
        self
    }

    /// Fails the test unless it is a problem document of this status and kind.
    #[track_caller]
    pub fn expect_problem(self, status: u16, kind: &str) -> Self {
        let answer = self.expect(status);
        assert_eq!(
            answer.header("content-type"),
            "application/problem+json",
            "{}",
            answer.asked
        );
        let problem = answer.json();
        assert_eq!(problem["kind"], kind, "{}: {problem}", answer.asked);
        assert_eq!(problem["status"], status, "{problem}");
        for field in ["type", "title", "detail", "request_id"] {
            assert!(problem[field].is_string(), "{field} is missing: {problem}");
        }
        answer
    }

    /// A header as text; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        let end = self.body.len().min(2000);
        String::from_utf8_lossy(&self.body[..end]).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("{}: {error}: {}", self.asked, self.text()),
        }
    }

    /// The `id` of the JSON body.
    #[track_caller]
    pub fn id(&self) -> String {
        match self.json()["id"].as_str() {
            Some(id) => id.to_owned(),
            None => panic!("{}: no id in {}", self.asked, self.text()),
        }
    }

    /// The first `name=value` of the cookie that it sets.
    pub fn cookie(&self) -> String {
        self.header("set-cookie")
            .split(';')
            .next()
            .unwrap_or_default()
            .to_owned()
    }
}
