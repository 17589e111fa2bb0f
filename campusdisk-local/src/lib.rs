//! CampusDisk blobs on a local file system.
