-- Accounts, their sessions, app tokens and groups. Keys are texts folded in the library, compared byte by byte.

CREATE TABLE accounts (
    id TEXT NOT NULL PRIMARY KEY,
    username TEXT NOT NULL,
    username_key TEXT NOT NULL,
    email TEXT,
    email_key TEXT,
    display_name TEXT NOT NULL,
    phone TEXT NOT NULL,
    about TEXT NOT NULL,
    admin INTEGER NOT NULL,
    locked INTEGER NOT NULL,
    quota_bytes INTEGER,
    created INTEGER NOT NULL,
    password TEXT NOT NULL,
    must_change_password INTEGER NOT NULL,
    version INTEGER NOT NULL,
    search TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX accounts_by_username ON accounts (username_key);
CREATE UNIQUE INDEX accounts_by_email ON accounts (email_key) WHERE email_key IS NOT NULL;
CREATE INDEX accounts_administrators ON accounts (id, locked) WHERE admin = 1;

CREATE TABLE account_sessions (
    hash BLOB NOT NULL PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id),
    purpose TEXT NOT NULL,
    lifetime TEXT NOT NULL,
    created INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX account_sessions_by_account ON account_sessions (account, created, hash);
CREATE INDEX account_sessions_by_expires ON account_sessions (expires);

CREATE TABLE account_tokens (
    id TEXT NOT NULL PRIMARY KEY,
    hash BLOB NOT NULL,
    account TEXT NOT NULL REFERENCES accounts (id),
    name TEXT NOT NULL,
    scopes INTEGER NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX account_tokens_by_hash ON account_tokens (hash);
CREATE INDEX account_tokens_by_account ON account_tokens (account, id);
CREATE INDEX account_tokens_by_expires ON account_tokens (expires) WHERE expires IS NOT NULL;

CREATE TABLE account_groups (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX account_groups_by_name ON account_groups (name_key);

CREATE TABLE account_memberships (
    account TEXT NOT NULL REFERENCES accounts (id),
    in_group TEXT NOT NULL REFERENCES account_groups (id),
    PRIMARY KEY (account, in_group)
) STRICT, WITHOUT ROWID;
CREATE INDEX account_memberships_by_group ON account_memberships (in_group, account);

CREATE TABLE account_setup (
    token BLOB NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
