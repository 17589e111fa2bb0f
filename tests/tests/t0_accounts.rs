//! Every store of accounts keeps its contract, and what people and administrators do with accounts ends as promised.

use campusdisk_testkit::accounts::MemoryAccountsHarness;
use campusdisk_testkit::accounts_conformance;

accounts_conformance!(memory, MemoryAccountsHarness::default());
