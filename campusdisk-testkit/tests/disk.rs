//! The service's use-cases over the seams in memory.

#[path = "disk/fixture.rs"]
mod fixture;
#[path = "disk/transfers.rs"]
mod transfers;
