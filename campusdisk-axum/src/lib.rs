//! The HTTP adapter of CampusDisk for axum.
