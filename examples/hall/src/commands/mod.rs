//! The commands beside `serve`. All of them work while a hall runs on the same data.

pub(crate) mod account;
pub(crate) mod check;
pub(crate) mod check_config;
pub(crate) mod demo;
pub(crate) mod mount;
pub(crate) mod store;
pub(crate) mod token;
