//! CampusDisk blobs on HDFS.
