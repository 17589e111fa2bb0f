//! Where pages are, where the API is, and how the pages guard themselves.

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use campusdisk_core::memory::MemoryCatalog;
use http::{Request, header};
use tower::ServiceExt as _;

use super::*;

fn api() -> Router {
    Router::new().fallback(|request: Request<Body>| async move {
        let text = format!("{} {}", request.method(), request.uri());
        ([(header::SET_COOKIE, "campusdisk_ticket=t")], text)
    })
}

async fn site(prefix: &str) -> impl Answers + use<> {
    let mut config = Config::default();
    config.http.prefix = prefix.to_owned();
    config.page.name = Some("<Hall>".to_owned());
    let catalog = Arc::new(MemoryCatalog::default());
    let site = Site::open(catalog, &config).await.unwrap();
    let brand = Brand::load(&config).unwrap();
    mount(api(), &config, Arc::new(site), brand)
}

async fn send(router: &impl Answers, request: http::request::Builder) -> Response {
    router
        .clone()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap()
}

async fn text(response: Response) -> String {
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

async fn ask(router: &impl Answers, method: &str, path: &str) -> (u16, String) {
    let response = send(router, Request::builder().method(method).uri(path)).await;
    let status = response.status().as_u16();
    match response.headers().get(header::LOCATION) {
        Some(location) => (status, location.to_str().unwrap().to_owned()),
        None => (status, text(response).await),
    }
}

#[tokio::test]
async fn without_a_prefix_the_page_is_at_the_root_and_all_else_is_the_api() {
    let router = site("").await;
    let (status, text) = ask(&router, "GET", "/").await;
    assert!(status == 200 && text.contains("api/v1/openapi.json"), "{text}");
    for (method, path) in [
        ("GET", "/api/v1/me"),
        ("POST", "/"),
        ("GET", "/s/token"),
        ("GET", "/nowhere"),
    ] {
        assert_eq!(
            ask(&router, method, path).await,
            (200, format!("{method} {path}"))
        );
    }
    assert!(ask(&router, "GET", "/setup?token=x").await.1.contains("<html"));
}

#[tokio::test]
async fn below_a_prefix_the_api_sees_its_own_paths() {
    let router = site("/portal/disk").await;
    assert_eq!(ask(&router, "GET", "/portal/disk").await, (308, "disk/".into()));
    let (status, text) = ask(&router, "GET", "/portal/disk/").await;
    assert!(status == 200 && text.contains("api/v1/openapi.json"));
    assert_eq!(
        ask(&router, "PUT", "/portal/disk/api/v1/me").await,
        (200, "PUT /api/v1/me".into())
    );
    assert!(
        ask(&router, "GET", "/portal/disk/setup")
            .await
            .1
            .contains("<html")
    );
    assert_eq!(ask(&router, "GET", "/api/v1/me").await.0, 404);
    assert_eq!(ask(&router, "GET", "/portal/diskette").await.0, 404);
}

#[tokio::test]
async fn a_head_is_answered_the_headers_of_a_page_and_nothing_else() {
    for prefix in ["", "/portal/disk"] {
        let router = site(prefix).await;
        let answer = |method: &str| {
            let request = Request::builder().method(method);
            send(&router, request.uri(format!("{prefix}/setup")))
        };
        let (head, get) = (answer("HEAD").await, answer("GET").await);
        let length = head.headers()[header::CONTENT_LENGTH].clone();
        assert_eq!(text(head).await, "");
        assert_eq!(length, text(get).await.len().to_string());
    }
}

#[tokio::test]
async fn the_name_of_the_hall_can_not_become_markup() {
    let (_, text) = ask(&site("").await, "GET", "/").await;
    assert!(
        text.contains("<title>&lt;Hall&gt;</title>") && !text.contains("<Hall>"),
        "{text}"
    );
}

#[tokio::test]
async fn every_page_has_a_policy_that_lets_no_foreign_script_run() {
    let response = send(&site("").await, Request::builder().uri("/")).await;
    let policy = response.headers()[header::CONTENT_SECURITY_POLICY]
        .to_str()
        .unwrap();
    assert!(
        policy.contains("default-src 'none'") && policy.contains("script-src 'self';"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(response.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-cache");
}

/// The page takes its types from the committed document. `CAMPUSDISK_WRITE_OPENAPI=1` writes it anew; then
/// `npm run check` in `web` shows what no longer fits.
#[test]
fn the_document_that_the_page_is_checked_against_is_the_hall_s_own() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/web/openapi.json");
    let own = serde_json::to_value(campusdisk_axum::openapi_with(crate::site::routes())).unwrap();
    if std::env::var_os("CAMPUSDISK_WRITE_OPENAPI").is_some() {
        std::fs::write(path, format!("{own:#}\n")).unwrap();
    }
    let committed: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(
        committed == own,
        "web/openapi.json is not what the hall says: run this test with CAMPUSDISK_WRITE_OPENAPI=1"
    );
}

#[cfg(feature = "page")]
mod with_the_app {
    use super::*;

    fn browser(path: &str) -> http::request::Builder {
        Request::builder()
            .uri(path)
            .header(header::ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8")
    }

    #[test]
    fn the_built_document_has_the_marks_that_are_filled_in() {
        let index = files::index();
        for mark in [
            app::LANGUAGE,
            app::BASE,
            app::FACTS,
            app::ICON,
            app::END,
            app::TITLE,
        ] {
            assert_eq!(index.matches(mark).count(), 1, "{mark} in {index}");
        }
    }

    #[tokio::test]
    async fn a_browser_gets_the_app_everywhere_but_at_the_api() {
        let router = site("").await;
        for (path, base) in [("/drive", "./"), ("/drive/abc", "../"), ("/a/b/c", "../../")] {
            let page = text(send(&router, browser(path)).await).await;
            assert!(
                page.contains(&format!("<base href=\"{base}\" />")),
                "{path}: {page}"
            );
        }
        for path in ["/api/v1/me", "/healthz", "/s/token/content", "/assets/gone.js"] {
            assert_eq!(
                text(send(&router, browser(path)).await).await,
                format!("GET {path}")
            );
        }
    }

    #[tokio::test]
    async fn a_share_in_a_browser_is_the_app_with_the_api_s_cookie() {
        let response = send(&site("").await, browser("/s/token")).await;
        assert_eq!(response.headers()[header::SET_COOKIE], "campusdisk_ticket=t");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        assert!(text(response).await.contains("<base href=\"../\" />"));
    }

    #[tokio::test]
    async fn the_document_says_whether_a_session_was_shown() {
        let router = site("").await;
        let page = text(send(&router, browser("/")).await).await;
        assert!(page.contains("&quot;session&quot;:false"), "{page}");
        let signed_in = browser("/").header(header::COOKIE, "a=b; campusdisk_session=x");
        let page = text(send(&router, signed_in).await).await;
        assert!(page.contains("&quot;session&quot;:true"), "{page}");
    }

    #[tokio::test]
    async fn assets_are_kept_for_ever_and_travel_compressed() {
        let index = files::index();
        let (_, rest) = index.split_once("src=\"./").unwrap();
        let path = format!("/{}", rest.split('"').next().unwrap());
        let plain = send(&site("").await, Request::builder().uri(&path)).await;
        assert_eq!(
            plain.headers()[header::CACHE_CONTROL],
            "public, max-age=31536000, immutable"
        );
        assert_eq!(
            plain.headers()[header::CONTENT_TYPE],
            "text/javascript; charset=utf-8"
        );
        assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
        let packed = Request::builder()
            .uri(&path)
            .header(header::ACCEPT_ENCODING, "gzip, br");
        let packed = send(&site("").await, packed).await;
        assert_eq!(packed.headers()[header::CONTENT_ENCODING], "br");
        assert_ne!(plain.headers()[header::ETAG], packed.headers()[header::ETAG]);
    }

    #[tokio::test]
    async fn logo_and_colour_are_files_of_their_own_that_can_do_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let drawing = "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
        std::fs::write(folder.path().join("logo.svg"), drawing).unwrap();
        let mut config = Config {
            data: folder.path().to_owned(),
            ..Config::default()
        };
        config.page.logo = Some("logo.svg".into());
        config.page.accent = Some("#660874".to_owned());
        config.http.prefix = "/disk".to_owned();
        let catalog = Arc::new(MemoryCatalog::default());
        let site = Arc::new(Site::open(catalog, &config).await.unwrap());
        let router = mount(api(), &config, site, Brand::load(&config).unwrap());
        let page = text(send(&router, browser("/disk/drive")).await).await;
        assert!(!page.contains("<style") && !page.contains(" style="), "{page}");
        for (before, media_type, holds) in [
            ("<link rel=\"icon\" href=\"./", "image/svg+xml", "<svg"),
            (
                "<link rel=\"stylesheet\" href=\"./assets/brand",
                "text/css; charset=utf-8",
                "#660874",
            ),
        ] {
            let (_, rest) = page.split_once(before).unwrap();
            let start = before.rsplit("./").next().unwrap();
            let path = format!("/disk/{start}{}", rest.split('"').next().unwrap());
            let response = send(&router, browser(&path)).await;
            let headers = response.headers().clone();
            assert_eq!(headers[header::CONTENT_TYPE], media_type);
            assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
            let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(
                policy.contains("default-src 'none'") && policy.contains("sandbox"),
                "{policy}"
            );
            assert!(text(response).await.contains(holds));
        }
        assert!(page.contains("&quot;logo&quot;:&quot;assets/logo-"), "{page}");
    }

    #[tokio::test]
    async fn what_a_browser_has_is_not_sent_again() {
        let router = site("").await;
        for path in ["/", "/favicon.svg"] {
            let first = send(&router, browser(path)).await;
            assert_eq!(first.headers()[header::CACHE_CONTROL], "no-cache");
            let tag = &first.headers()[header::ETAG];
            let again = send(&router, browser(path).header(header::IF_NONE_MATCH, tag)).await;
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{path}");
        }
    }
}
