//! Finds multipart uploads that nobody will finish, by S3's own list of them, and aborts them.

use std::time::Duration;

use bytes::Bytes;
use campusdisk_core::{Clock, ErrorKind, SystemClock, Timestamp};
use object_store::client::{HttpConnector, HttpRequest, HttpRequestBody, ReqwestConnector};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer};
use serde::Deserialize;

use crate::bucket::{self, Bucket};
use crate::error::Failure;
use crate::retry::Tries;

/// How long the signed address of the list works.
const ADDRESS_LASTS: Duration = Duration::from_secs(60);

/// S3's `ListMultipartUploadsResult`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listing {
    #[serde(default)]
    upload: Vec<Upload>,
    #[serde(default)]
    is_truncated: bool,
    next_key_marker: Option<String>,
    next_upload_id_marker: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Upload {
    key: String,
    upload_id: String,
    initiated: String,
}

pub(crate) async fn tidy(bucket: &Bucket, older_than: Duration) -> Result<u64, Failure> {
    let Some(amazon) = &bucket.amazon else {
        return Ok(0);
    };
    let latest = SystemClock.now() - older_than;
    let mut aborted = 0;
    let mut markers = Vec::new();
    loop {
        let listing = list_patiently(bucket, &markers).await?;
        for upload in &listing.upload {
            let Some(path) = leftover(bucket, upload, latest)? else {
                continue;
            };
            match amazon
                .abort_multipart(&path, &upload.upload_id)
                .await
                .map_err(Failure::from)
            {
                Ok(()) => aborted += 1,
                // Its writer was quicker.
                Err(failure) if failure.kind() == ErrorKind::NotFound => {}
                Err(failure) => return Err(failure),
            }
        }
        markers = match listing {
            Listing {
                is_truncated: true,
                next_key_marker: Some(key),
                next_upload_id_marker: Some(id),
                ..
            } => vec![
                ("key-marker".to_owned(), key),
                ("upload-id-marker".to_owned(), id),
            ],
            _ => return Ok(aborted),
        };
    }
}

/// Where the upload would lie, if it is one of ours and old enough.
fn leftover(bucket: &Bucket, upload: &Upload, latest: Timestamp) -> Result<Option<Path>, Failure> {
    let Ok(path) = Path::parse(&upload.key) else {
        return Ok(None);
    };
    if bucket.key_at(&path).is_none() {
        return Ok(None);
    }
    let initiated = Timestamp::parse("Initiated", &upload.initiated)
        .map_err(|_| Failure::new(ErrorKind::Internal, "the server's list of uploads has no times"))?;
    Ok((initiated <= latest).then_some(path))
}

async fn list_patiently(bucket: &Bucket, markers: &[(String, String)]) -> Result<Listing, Failure> {
    let mut tries = Tries::new(&bucket.config);
    loop {
        match list(bucket, markers.to_vec()).await {
            Err(failure) if failure.kind() == ErrorKind::Unavailable && tries.again().await => {}
            listed => return listed,
        }
    }
}

/// One page of the list, which `object_store` has no call for, by an address it signs.
async fn list(bucket: &Bucket, markers: Vec<(String, String)>) -> Result<Listing, Failure> {
    let Some(amazon) = &bucket.amazon else {
        return Err(Failure::new(
            ErrorKind::Internal,
            "this kind of store lists no uploads",
        ));
    };
    let prefix = match bucket.config.prefix.as_str() {
        "" => String::new(),
        prefix => format!("{prefix}/"),
    };
    let query = [
        ("uploads".to_owned(), String::new()),
        ("prefix".to_owned(), prefix),
    ];
    let options = SignedUrlOptions::new().with_query(query.into_iter().chain(markers));
    let address = amazon
        .signed_url_opts(http::Method::GET, &Path::default(), ADDRESS_LASTS, &options)
        .await?;
    let mut request = HttpRequest::new(HttpRequestBody::empty());
    *request.uri_mut() = address
        .as_str()
        .parse()
        .map_err(|_| Failure::new(ErrorKind::Internal, "the address of the list is no address"))?;
    let client = ReqwestConnector::default().connect(&bucket::client_options(&bucket.config))?;
    let answer = client.execute(request).await?;
    let status = answer.status();
    let text = answer.into_body().bytes().await?;
    let asked = "when asked for its multipart uploads";
    match status.as_u16() {
        200..=299 => parse(&text),
        405 | 501 => {
            tracing::warn!(store = %bucket.info.name, "the server lists no multipart uploads: a rule of the bucket must end them");
            Ok(Listing::default())
        }
        401 | 403 => {
            let says = format!("the server answered {status} {asked} (credentials, and the bucket's policy)");
            Err(Failure::new(ErrorKind::Denied, says))
        }
        _ => Err(Failure::new(
            ErrorKind::Unavailable,
            format!("the server answered {status} {asked}"),
        )),
    }
}

fn parse(text: &Bytes) -> Result<Listing, Failure> {
    quick_xml::de::from_reader(text.as_ref()).map_err(|_| {
        Failure::new(
            ErrorKind::Internal,
            "the server's list of multipart uploads can't be read",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_uploads_is_read_with_and_without_entries() {
        let text = "<?xml version=\"1.0\"?><ListMultipartUploadsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
            <Bucket>b</Bucket><IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker>\
            <NextUploadIdMarker>7</NextUploadIdMarker>\
            <Upload><Key>a</Key><UploadId>6</UploadId><Initiated>2026-09-01T08:00:00.000Z</Initiated></Upload>\
            <Upload><Key>k</Key><UploadId>7</UploadId><Initiated>2026-09-01T08:00:00.000Z</Initiated></Upload>\
            </ListMultipartUploadsResult>";
        let listing = parse(&Bytes::from_static(text.as_bytes())).unwrap();
        assert!(listing.is_truncated && listing.upload.len() == 2);
        assert_eq!(listing.upload[1].upload_id, "7");
        let empty = parse(&Bytes::from_static(b"<ListMultipartUploadsResult/>")).unwrap();
        assert!(!empty.is_truncated && empty.upload.is_empty());
    }
}
