//! Wrappers around a store that add one behaviour each.
