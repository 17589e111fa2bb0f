-- The catalog. One table for each kind of record; ids are 16 bytes, times are milliseconds since 1970.

CREATE TABLE applied_sets (
    id BLOB NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX applied_sets_by_time ON applied_sets (at);

CREATE TABLE drives (
    id BLOB NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    owner TEXT,
    root BLOB NOT NULL,
    quota_bytes INTEGER,
    created INTEGER NOT NULL,
    version INTEGER NOT NULL,
    used_bytes INTEGER NOT NULL,
    reserved_bytes INTEGER NOT NULL,
    tree_version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX drives_personal ON drives (owner) WHERE kind = 'personal' AND owner IS NOT NULL;

CREATE TABLE members (
    drive BLOB NOT NULL,
    subject_kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    role TEXT NOT NULL,
    PRIMARY KEY (drive, subject_kind, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_by_subject ON members (subject_kind, subject);

CREATE TABLE nodes (
    id BLOB NOT NULL PRIMARY KEY,
    drive BLOB NOT NULL,
    parent BLOB,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    name_key BLOB NOT NULL,
    content BLOB,
    size_bytes INTEGER NOT NULL,
    mime TEXT,
    category TEXT NOT NULL,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    version INTEGER NOT NULL,
    trashed_at INTEGER,
    trash_expires INTEGER,
    trashed_by TEXT
) STRICT, WITHOUT ROWID;
-- Live siblings have distinct names. Each sort has an index to walk, with a category and without.
CREATE UNIQUE INDEX nodes_by_name ON nodes (parent, name_key) WHERE trashed_at IS NULL;
CREATE INDEX nodes_by_size ON nodes (parent, size_bytes, name_key) WHERE trashed_at IS NULL;
CREATE INDEX nodes_by_modified ON nodes (parent, modified, name_key) WHERE trashed_at IS NULL;
CREATE INDEX files_by_name ON nodes (parent, category, name_key) WHERE trashed_at IS NULL AND kind = 'file';
CREATE INDEX files_by_size ON nodes (parent, category, size_bytes, name_key)
    WHERE trashed_at IS NULL AND kind = 'file';
CREATE INDEX files_by_modified ON nodes (parent, category, modified, name_key)
    WHERE trashed_at IS NULL AND kind = 'file';
CREATE INDEX nodes_by_drive ON nodes (drive, name_key, id) WHERE trashed_at IS NULL;
CREATE INDEX nodes_trashed ON nodes (drive, trashed_at, id) WHERE trashed_at IS NOT NULL;
CREATE INDEX nodes_trashed_in ON nodes (parent) WHERE trashed_at IS NOT NULL;
CREATE INDEX nodes_trash_expires ON nodes (trash_expires) WHERE trashed_at IS NOT NULL;

CREATE TABLE versions (
    node BLOB NOT NULL,
    number INTEGER NOT NULL,
    drive BLOB NOT NULL,
    content BLOB NOT NULL,
    size_bytes INTEGER NOT NULL,
    mime TEXT,
    created INTEGER NOT NULL,
    PRIMARY KEY (node, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX versions_by_content ON versions (content);
CREATE INDEX versions_by_drive ON versions (drive, size_bytes);

CREATE TABLE contents (
    id BLOB NOT NULL PRIMARY KEY,
    size_bytes INTEGER NOT NULL,
    crc32 INTEGER,
    sha256 BLOB,
    created INTEGER NOT NULL,
    layout_version INTEGER NOT NULL,
    refs INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX contents_by_sha256 ON contents (sha256, size_bytes) WHERE sha256 IS NOT NULL;

CREATE TABLE content_extents (
    content BLOB NOT NULL REFERENCES contents (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    store TEXT NOT NULL,
    blob TEXT NOT NULL,
    blob_len_bytes INTEGER NOT NULL,
    offset_bytes INTEGER NOT NULL,
    len_bytes INTEGER NOT NULL,
    PRIMARY KEY (content, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE blobs (
    store TEXT NOT NULL,
    key TEXT NOT NULL,
    state TEXT NOT NULL,
    owner TEXT NOT NULL,
    until INTEGER NOT NULL,
    condemned INTEGER,
    refs INTEGER NOT NULL,
    PRIMARY KEY (store, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX blobs_leased ON blobs (until) WHERE state = 'leased';
CREATE INDEX blobs_unreferenced ON blobs (store, key) WHERE state = 'live' AND refs = 0;
CREATE INDEX blobs_condemned ON blobs (condemned) WHERE state = 'condemned';

CREATE TABLE uploads (
    id BLOB NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    account TEXT NOT NULL,
    share BLOB,
    drive BLOB NOT NULL,
    parent BLOB NOT NULL,
    folders TEXT NOT NULL,
    name TEXT,
    on_conflict TEXT NOT NULL,
    mime TEXT,
    declared_sha256 BLOB,
    metadata TEXT NOT NULL,
    len_bytes INTEGER,
    offset_bytes INTEGER NOT NULL,
    hash_sha256 BLOB,
    hash_crc32 INTEGER NOT NULL,
    reserved_bytes INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    node BLOB,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    version INTEGER NOT NULL,
    tail BLOB NOT NULL,
    extent_count INTEGER NOT NULL
) STRICT;
CREATE INDEX uploads_open ON uploads (account, id) WHERE node IS NULL;
CREATE INDEX uploads_by_expiry ON uploads (expires);
CREATE INDEX uploads_by_drive ON uploads (drive, reserved_bytes);

CREATE TABLE upload_extents (
    upload BLOB NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    store TEXT NOT NULL,
    blob TEXT NOT NULL,
    blob_len_bytes INTEGER NOT NULL,
    offset_bytes INTEGER NOT NULL,
    len_bytes INTEGER NOT NULL,
    PRIMARY KEY (upload, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE shares (
    id BLOB NOT NULL PRIMARY KEY,
    token TEXT NOT NULL UNIQUE,
    node BLOB NOT NULL,
    maker TEXT NOT NULL,
    password TEXT,
    expires INTEGER,
    max_downloads INTEGER,
    networks TEXT NOT NULL,
    takes_files INTEGER NOT NULL,
    created INTEGER NOT NULL,
    ended INTEGER,
    version INTEGER NOT NULL,
    downloads INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX shares_open ON shares (maker, id) WHERE ended IS NULL;
CREATE INDEX shares_by_node ON shares (node) WHERE ended IS NULL;

CREATE TABLE tickets (
    id BLOB NOT NULL PRIMARY KEY,
    share BLOB NOT NULL,
    client TEXT NOT NULL,
    spent INTEGER,
    budget_bytes INTEGER,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    version INTEGER NOT NULL,
    granted_bytes INTEGER NOT NULL,
    UNIQUE (share, client)
) STRICT, WITHOUT ROWID;

-- The outbox. Its own number keeps the order of commits, which ids do not.
CREATE TABLE events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    account TEXT,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;

CREATE TABLE leases (
    name TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    token INTEGER NOT NULL,
    until INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
