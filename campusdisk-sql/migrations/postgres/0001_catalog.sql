-- The catalog. One table for each kind of record; ids are 16 bytes, times are milliseconds since 1970.

CREATE TABLE applied_sets (
    id BYTEA NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL
);
CREATE INDEX applied_sets_by_time ON applied_sets (at);

CREATE TABLE drives (
    id BYTEA NOT NULL PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C",
    root BYTEA NOT NULL,
    quota_bytes BIGINT,
    created BIGINT NOT NULL,
    version BIGINT NOT NULL,
    used_bytes BIGINT NOT NULL,
    reserved_bytes BIGINT NOT NULL,
    tree_version BIGINT NOT NULL
);
CREATE UNIQUE INDEX drives_personal ON drives (owner) WHERE kind = 'personal' AND owner IS NOT NULL;

CREATE TABLE members (
    drive BYTEA NOT NULL,
    subject_kind TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (drive, subject_kind, subject)
);
CREATE INDEX members_by_subject ON members (subject_kind, subject);

CREATE TABLE nodes (
    id BYTEA NOT NULL PRIMARY KEY,
    drive BYTEA NOT NULL,
    parent BYTEA,
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    name_key BYTEA NOT NULL,
    content BYTEA,
    size_bytes BIGINT NOT NULL,
    mime TEXT COLLATE "C",
    category TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    version BIGINT NOT NULL,
    trashed_at BIGINT,
    trash_expires BIGINT,
    trashed_by TEXT COLLATE "C"
);
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
    node BYTEA NOT NULL,
    number BIGINT NOT NULL,
    drive BYTEA NOT NULL,
    content BYTEA NOT NULL,
    size_bytes BIGINT NOT NULL,
    mime TEXT COLLATE "C",
    created BIGINT NOT NULL,
    PRIMARY KEY (node, number)
);
CREATE INDEX versions_by_content ON versions (content);
CREATE INDEX versions_by_drive ON versions (drive, size_bytes);

CREATE TABLE contents (
    id BYTEA NOT NULL PRIMARY KEY,
    size_bytes BIGINT NOT NULL,
    crc32 BIGINT,
    sha256 BYTEA,
    created BIGINT NOT NULL,
    layout_version BIGINT NOT NULL,
    refs BIGINT NOT NULL
);
CREATE INDEX contents_by_sha256 ON contents (sha256, size_bytes) WHERE sha256 IS NOT NULL;

CREATE TABLE content_extents (
    content BYTEA NOT NULL REFERENCES contents (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    store TEXT COLLATE "C" NOT NULL,
    blob TEXT COLLATE "C" NOT NULL,
    blob_len_bytes BIGINT NOT NULL,
    offset_bytes BIGINT NOT NULL,
    len_bytes BIGINT NOT NULL,
    PRIMARY KEY (content, position)
);

CREATE TABLE blobs (
    store TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C" NOT NULL,
    until BIGINT NOT NULL,
    condemned BIGINT,
    refs BIGINT NOT NULL,
    PRIMARY KEY (store, key)
);
CREATE INDEX blobs_leased ON blobs (until) WHERE state = 'leased';
CREATE INDEX blobs_unreferenced ON blobs (store, key) WHERE state = 'live' AND refs = 0;
CREATE INDEX blobs_condemned ON blobs (condemned) WHERE state = 'condemned';

CREATE TABLE uploads (
    id BYTEA NOT NULL PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    share BYTEA,
    drive BYTEA NOT NULL,
    parent BYTEA NOT NULL,
    folders TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C",
    on_conflict TEXT COLLATE "C" NOT NULL,
    mime TEXT COLLATE "C",
    declared_sha256 BYTEA,
    metadata TEXT COLLATE "C" NOT NULL,
    len_bytes BIGINT,
    offset_bytes BIGINT NOT NULL,
    hash_sha256 BYTEA,
    hash_crc32 BIGINT NOT NULL,
    reserved_bytes BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    node BYTEA,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    version BIGINT NOT NULL,
    tail BYTEA NOT NULL,
    extent_count BIGINT NOT NULL
);
CREATE INDEX uploads_open ON uploads (account, id) WHERE node IS NULL;
CREATE INDEX uploads_by_expiry ON uploads (expires);
CREATE INDEX uploads_by_drive ON uploads (drive, reserved_bytes);

CREATE TABLE upload_extents (
    upload BYTEA NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    store TEXT COLLATE "C" NOT NULL,
    blob TEXT COLLATE "C" NOT NULL,
    blob_len_bytes BIGINT NOT NULL,
    offset_bytes BIGINT NOT NULL,
    len_bytes BIGINT NOT NULL,
    PRIMARY KEY (upload, position)
);

CREATE TABLE shares (
    id BYTEA NOT NULL PRIMARY KEY,
    token TEXT COLLATE "C" NOT NULL UNIQUE,
    node BYTEA NOT NULL,
    maker TEXT COLLATE "C" NOT NULL,
    password TEXT COLLATE "C",
    expires BIGINT,
    max_downloads BIGINT,
    networks TEXT COLLATE "C" NOT NULL,
    takes_files BIGINT NOT NULL,
    created BIGINT NOT NULL,
    ended BIGINT,
    version BIGINT NOT NULL,
    downloads BIGINT NOT NULL
);
CREATE INDEX shares_open ON shares (maker, id) WHERE ended IS NULL;
CREATE INDEX shares_by_node ON shares (node) WHERE ended IS NULL;

CREATE TABLE tickets (
    id BYTEA NOT NULL PRIMARY KEY,
    share BYTEA NOT NULL,
    client TEXT COLLATE "C" NOT NULL,
    spent BIGINT,
    budget_bytes BIGINT,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    version BIGINT NOT NULL,
    granted_bytes BIGINT NOT NULL,
    UNIQUE (share, client)
);

-- The outbox. Its own number keeps the order of commits, which ids do not.
CREATE TABLE events (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id BYTEA NOT NULL UNIQUE,
    account TEXT COLLATE "C",
    kind TEXT COLLATE "C" NOT NULL,
    payload TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL
);

CREATE TABLE leases (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    holder TEXT COLLATE "C" NOT NULL,
    token BIGINT NOT NULL,
    until BIGINT NOT NULL,
    version BIGINT NOT NULL
);

CREATE TABLE settings (
    key TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL
);
