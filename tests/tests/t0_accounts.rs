//! Every store of accounts keeps its contract.

use campusdisk_testkit::accounts::MemoryAccountsHarness;
use campusdisk_testkit::accounts_conformance;

accounts_conformance!(memory, MemoryAccountsHarness::default());
