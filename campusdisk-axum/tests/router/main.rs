//! The router, asked without a socket, over the seams in memory.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail as loudly as tests"
)]

mod app;

mod accounts;
mod conditions;
mod content;
mod downloads;
mod edge;
mod health;
mod host;
mod nodes;
mod openapi;
mod shares;
mod socket;
mod trash;
mod uploads;
