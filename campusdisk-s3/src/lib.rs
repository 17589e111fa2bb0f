//! CampusDisk blobs on S3-compatible stores.
