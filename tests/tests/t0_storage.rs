//! Every store that needs no service keeps the storage contract.

use campusdisk_testkit::storage::MemoryHarness;
use campusdisk_testkit::storage_conformance;

storage_conformance!(memory, MemoryHarness::fresh());
