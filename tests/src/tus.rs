//! A client of the resumable upload protocol tus 1.0.0.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::{Answer, Client};

const VERSION: (&str, &str) = ("tus-resumable", "1.0.0");
const BODY_TYPE: (&str, &str) = ("content-type", "application/offset+octet-stream");

/// An upload that was created.
#[derive(Clone, Debug)]
pub struct Upload {
    client: Client,
    /// Its path.
    pub path: String,
}

impl Upload {
    /// The header `Upload-Metadata` of these pairs.
    pub fn metadata(pairs: &[(&str, &str)]) -> String {
        let pairs = pairs
            .iter()
            .map(|(key, value)| format!("{key} {}", STANDARD.encode(value)));
        pairs.collect::<Vec<_>>().join(",")
    }

    /// Asks for an upload with these headers and body.
    pub async fn ask(client: &Client, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let headers: Vec<_> = [VERSION].into_iter().chain(headers.iter().copied()).collect();
        client.send("POST", "/api/v1/uploads", &headers, body).await
    }

    /// Creates an upload of `len` bytes under `name` in `parent`.
    pub async fn create(client: &Client, parent: &str, name: &str, len: usize) -> Self {
        Self::create_with(client, &[("filename", name), ("parent", parent)], len).await
    }

    /// Creates an upload of `len` bytes with this metadata.
    pub async fn create_with(client: &Client, metadata: &[(&str, &str)], len: usize) -> Self {
        let (length, metadata) = (len.to_string(), Self::metadata(metadata));
        let answer = Self::ask(
            client,
            &[("upload-length", &length), ("upload-metadata", &metadata)],
            Vec::new(),
        )
        .await
        .expect(201);
        Self::at(client, answer.header("location"))
    }

    /// The upload at an address of a `Location`.
    pub fn at(client: &Client, location: &str) -> Self {
        assert!(!location.is_empty(), "no Location");
        let path = client.resolve("/api/v1/uploads", location);
        Self {
            client: client.clone(),
            path,
        }
    }

    /// The same upload, asked for by somebody else.
    pub fn by(&self, client: &Client) -> Self {
        Self {
            client: client.clone(),
            path: self.path.clone(),
        }
    }

    /// HEAD.
    pub async fn head(&self) -> Answer {
        self.client.send("HEAD", &self.path, &[VERSION], "").await
    }

    /// What HEAD says is stored.
    pub async fn offset(&self) -> usize {
        let answer = self.head().await.expect(200);
        answer.header("upload-offset").parse().expect("an offset")
    }

    /// PATCH with more headers.
    pub async fn patch_with(
        &self,
        offset: usize,
        headers: &[(&str, &str)],
        bytes: impl Into<reqwest::Body>,
    ) -> Answer {
        let offset = offset.to_string();
        let own = [VERSION, BODY_TYPE, ("upload-offset", offset.as_str())];
        let headers: Vec<_> = own.into_iter().chain(headers.iter().copied()).collect();
        self.client.send("PATCH", &self.path, &headers, bytes).await
    }

    /// PATCH.
    pub async fn patch(&self, offset: usize, bytes: impl Into<reqwest::Body>) -> Answer {
        self.patch_with(offset, &[], bytes).await
    }

    /// PATCH, or why there is no answer.
    pub async fn try_patch(&self, offset: usize, bytes: impl Into<reqwest::Body>) -> reqwest::Result<Answer> {
        let offset = offset.to_string();
        let headers = [VERSION, BODY_TYPE, ("upload-offset", offset.as_str())];
        self.client.try_send("PATCH", &self.path, &headers, bytes).await
    }

    /// DELETE.
    pub async fn terminate(&self) -> Answer {
        self.client.send("DELETE", &self.path, &[VERSION], "").await
    }

    /// The head of a PATCH for a connection of one's own.
    pub fn patch_headers(&self, offset: usize, len: usize) -> Vec<(String, String)> {
        let own = [
            ("tus-resumable", "1.0.0".to_owned()),
            ("content-type", "application/offset+octet-stream".to_owned()),
            ("upload-offset", offset.to_string()),
            ("content-length", len.to_string()),
            (
                "authorization",
                self.client.authorization().unwrap_or_default().to_owned(),
            ),
        ];
        own.into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}
