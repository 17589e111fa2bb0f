//! The CampusDisk catalog on SQLite and PostgreSQL.
