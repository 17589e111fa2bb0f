//! A whole application in memory, and requests to it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use bytes::Bytes;
use campusdisk_accounts::{
    Accounts, AccountsConfig, AccountsSeams, Device, MemoryAccountStore, Registrant, TokenRequest,
};
use campusdisk_accounts::{Administrator, Scopes, TokenName};
use campusdisk_axum::{AccountsIdentity, HttpOptions, HttpParts, Probe, router};
use campusdisk_core::memory::{MemoryCatalog, MemoryChunkCache, MemoryEvents, MemoryStore};
use campusdisk_core::storage::{StoreInfo, StoreName};
use campusdisk_core::{AccountId, CampusDisk, Policy, RandomIds, Seams, SystemClock, TokioSpawner};
use http::{HeaderMap, Method, Request, StatusCode, header};
use serde_json::Value;
use tower::ServiceExt;

pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) struct App {
    pub(crate) router: Router,
    pub(crate) accounts: Accounts,
    pub(crate) disk: CampusDisk,
}

impl App {
    pub(crate) async fn new() -> Self {
        Self::with(Policy::default(), AccountsConfig::default()).await
    }

    pub(crate) async fn with(policy: Policy, config: AccountsConfig) -> Self {
        Self::of_parts(policy, config, |parts| parts).await
    }

    /// One that `/readyz` asks about these parts.
    pub(crate) async fn with_probes(probes: Vec<Arc<dyn Probe>>) -> Self {
        let with_probes = |parts| probes.into_iter().fold(parts, HttpParts::probe);
        Self::of_parts(Policy::default(), AccountsConfig::default(), with_probes).await
    }

    async fn of_parts(
        policy: Policy,
        config: AccountsConfig,
        more: impl FnOnce(HttpParts) -> HttpParts,
    ) -> Self {
        // Passwords are not what is tested here.
        let config = config.with_argon2_memory_kib(64).with_argon2_passes(1);
        let seams = AccountsSeams {
            store: Arc::new(MemoryAccountStore::default()),
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds),
        };
        let accounts = Accounts::new(seams, config).unwrap();
        let disk = disk(Arc::new(AccountsIdentity::new(accounts.clone())), policy).await;
        let options = HttpOptions::default().with_trusted_proxies(vec!["10.9.0.0/16".parse().unwrap()]);
        let parts = HttpParts::with_accounts(disk.clone(), accounts.clone()).options(options);
        Self {
            router: router(more(parts)),
            accounts,
            disk,
        }
    }

    /// Makes an account and signs it on by a token that may do everything.
    pub(crate) async fn user(&self, name: &str) -> User<'_> {
        let registrant = Registrant {
            username: name,
            password: PASSWORD,
            email: None,
        };
        let account = self.accounts.register(registrant).await.unwrap();
        self.token(&account.id, None).await
    }

    /// A user of an account by a new token with these scopes.
    pub(crate) async fn token(&self, account: &AccountId, scopes: Option<&str>) -> User<'_> {
        let request = TokenRequest {
            name: TokenName::parse("test").unwrap(),
            scopes: scopes.map(|scopes| Scopes::parse(scopes.split(' ')).unwrap()),
            expires: None,
        };
        let issued = self
            .accounts
            .create_token_for(&Administrator::operator(), account, request)
            .await
            .unwrap();
        User {
            app: self,
            account: account.clone(),
            token: issued.secret.expose().to_owned(),
        }
    }

    /// The first administrator.
    pub(crate) async fn administrator(&self) -> User<'_> {
        let token = self.accounts.setup_token().await.unwrap().unwrap();
        let registrant = Registrant {
            username: "root",
            password: PASSWORD,
            email: None,
        };
        let signed_in = self
            .accounts
            .setup(token.expose(), registrant, Device::default())
            .await
            .unwrap();
        self.token(&signed_in.account.id, None).await
    }

    pub(crate) fn request(&self, method: &str, uri: &str) -> Asking<'_> {
        Asking::new(&self.router, method, uri)
    }

    pub(crate) fn get(&self, uri: &str) -> Asking<'_> {
        self.request("GET", uri)
    }

    pub(crate) fn post(&self, uri: &str) -> Asking<'_> {
        self.request("POST", uri)
    }
}

pub(crate) async fn disk(identity: Arc<dyn campusdisk_core::Identity>, policy: Policy) -> CampusDisk {
    let info = StoreInfo::new(StoreName::parse("primary").unwrap());
    let seams = Seams {
        stores: vec![Arc::new(MemoryStore::new(info))],
        placement: Vec::new(),
        mounts: Vec::new(),
        catalog: Arc::new(MemoryCatalog::default()),
        identity,
        events: Arc::new(MemoryEvents::new(100)),
        cache: Arc::new(MemoryChunkCache::new(1 << 20)),
        clock: Arc::new(SystemClock),
        ids: Arc::new(RandomIds),
        spawner: Arc::new(TokioSpawner),
    };
    CampusDisk::open(seams, policy).await.unwrap()
}

/// Somebody who is signed on by an app token.
pub(crate) struct User<'a> {
    app: &'a App,
    pub(crate) account: AccountId,
    pub(crate) token: String,
}

impl<'a> User<'a> {
    pub(crate) fn request(&self, method: &str, uri: &str) -> Asking<'a> {
        self.app
            .request(method, uri)
            .header("authorization", &format!("Bearer {}", self.token))
    }

    pub(crate) fn get(&self, uri: &str) -> Asking<'a> {
        self.request("GET", uri)
    }

    pub(crate) fn post(&self, uri: &str) -> Asking<'a> {
        self.request("POST", uri)
    }

    pub(crate) fn put(&self, uri: &str) -> Asking<'a> {
        self.request("PUT", uri)
    }

    pub(crate) fn patch(&self, uri: &str) -> Asking<'a> {
        self.request("PATCH", uri)
    }

    pub(crate) fn delete(&self, uri: &str) -> Asking<'a> {
        self.request("DELETE", uri)
    }

    /// The root folder of their own drive.
    pub(crate) async fn root(&self) -> String {
        self.get("/api/v1/drives").await_ok(200).await["items"][0]["root"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Puts a file into the root and returns its node.
    pub(crate) async fn file(&self, name: &str, bytes: impl Into<Body>) -> Value {
        let uri = format!("/api/v1/nodes/{}/children/{name}", self.root().await);
        self.put(&uri).body(bytes).await_ok(201).await
    }

    pub(crate) async fn folder(&self, parent: &str, name: &str) -> Value {
        let body = serde_json::json!({"name": name, "kind": "folder"});
        self.post(&format!("/api/v1/nodes/{parent}/children"))
            .json(&body)
            .await_ok(201)
            .await
    }
}

/// A request in the making.
pub(crate) struct Asking<'a> {
    router: &'a Router,
    request: http::request::Builder,
    body: Body,
    peer: SocketAddr,
}

impl<'a> Asking<'a> {
    pub(crate) fn new(router: &'a Router, method: &str, uri: &str) -> Self {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header("host", "disk.example");
        Self {
            router,
            request,
            body: Body::empty(),
            peer: "192.0.2.1:1234".parse().unwrap(),
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub(crate) fn headers(self, pairs: &[(&str, &str)]) -> Self {
        pairs
            .iter()
            .fold(self, |asking, (name, value)| asking.header(name, value))
    }

    pub(crate) fn body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn json(self, value: &Value) -> Self {
        self.header("content-type", "application/json")
            .body(value.to_string())
    }

    pub(crate) fn from(mut self, address: &str) -> Self {
        self.peer = SocketAddr::new(address.parse().unwrap(), 1234);
        self
    }

    pub(crate) async fn send(self) -> Answer {
        let mut request = self.request.body(self.body).unwrap();
        request.extensions_mut().insert(ConnectInfo(self.peer));
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = axum::body::to_bytes(body, 64 << 20).await;
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.ok(),
        }
    }

    /// Sends and expects a status; gives the JSON, or null where there is none.
    pub(crate) async fn await_ok(self, status: u16) -> Value {
        let answer = self.send().await;
        assert_eq!(answer.status.as_u16(), status, "{:?}", answer.body);
        answer.json()
    }

    /// Sends and expects a problem of this status and kind.
    pub(crate) async fn await_problem(self, status: u16, kind: &str) -> Value {
        let answer = self.send().await;
        answer.expect_problem(status, kind);
        answer.json()
    }
}

/// What came back. The body is none when it broke.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Bytes>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(self.bytes()).unwrap_or(Value::Null)
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        self.body.as_ref().expect("the body came whole")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map(|value| value.to_str().unwrap())
            .unwrap_or_default()
    }

    pub(crate) fn status(&self) -> u16 {
        self.status.as_u16()
    }

    pub(crate) fn expect_problem(&self, status: u16, kind: &str) {
        let document = self.json();
        assert_eq!(
            (self.status(), document["kind"].as_str()),
            (status, Some(kind)),
            "{document}"
        );
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(document["status"], status);
        assert!(
            document["type"].is_string() && document["title"].is_string() && document["detail"].is_string()
        );
        assert_eq!(document["request_id"], self.header("x-request-id"));
    }

    /// The cookie of a name that this answer sets, as a request sends it.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        let lines = self
            .headers
            .get_all(header::SET_COOKIE)
            .iter()
            .map(|line| line.to_str().unwrap());
        lines
            .filter_map(|line| line.split(';').next())
            .find(|pair| pair.starts_with(&format!("{name}=")))
            .map(str::to_owned)
    }
}
