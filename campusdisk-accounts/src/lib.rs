//! Accounts, sessions, groups and app tokens for CampusDisk.
