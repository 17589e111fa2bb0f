//! The store on HDFS by the name of a service with two NameNodes, of which one is active. Only in a full run.

use campusdisk_testkit::storage_conformance;
use campusdisk_tests::hdfs::HdfsHarness;

storage_conformance!(hdfs_ha, HdfsHarness::fresh("/hdfs-ha"));
