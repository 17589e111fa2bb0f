-- Accounts, their sessions, app tokens and groups. Keys are texts folded in the library, compared byte by byte.

CREATE TABLE accounts (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    username TEXT COLLATE "C" NOT NULL,
    username_key TEXT COLLATE "C" NOT NULL,
    email TEXT COLLATE "C",
    email_key TEXT COLLATE "C",
    display_name TEXT COLLATE "C" NOT NULL,
    phone TEXT COLLATE "C" NOT NULL,
    about TEXT COLLATE "C" NOT NULL,
    admin BIGINT NOT NULL,
    locked BIGINT NOT NULL,
    quota_bytes BIGINT,
    created BIGINT NOT NULL,
    password TEXT COLLATE "C" NOT NULL,
    must_change_password BIGINT NOT NULL,
    version BIGINT NOT NULL,
    search TEXT COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX accounts_by_username ON accounts (username_key);
CREATE UNIQUE INDEX accounts_by_email ON accounts (email_key) WHERE email_key IS NOT NULL;
CREATE INDEX accounts_administrators ON accounts (id, locked) WHERE admin = 1;

CREATE TABLE account_sessions (
    hash BYTEA NOT NULL PRIMARY KEY,
    account TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
    purpose TEXT COLLATE "C" NOT NULL,
    lifetime TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL,
    seen BIGINT NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX account_sessions_by_account ON account_sessions (account, created, hash);
CREATE INDEX account_sessions_by_expires ON account_sessions (expires);

CREATE TABLE account_tokens (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    hash BYTEA NOT NULL,
    account TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
    name TEXT COLLATE "C" NOT NULL,
    scopes BIGINT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT
);
CREATE UNIQUE INDEX account_tokens_by_hash ON account_tokens (hash);
CREATE INDEX account_tokens_by_account ON account_tokens (account, id);
CREATE INDEX account_tokens_by_expires ON account_tokens (expires) WHERE expires IS NOT NULL;

CREATE TABLE account_groups (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    name_key TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL
);
CREATE UNIQUE INDEX account_groups_by_name ON account_groups (name_key);

CREATE TABLE account_memberships (
    account TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
    in_group TEXT COLLATE "C" NOT NULL REFERENCES account_groups (id),
    PRIMARY KEY (account, in_group)
);
CREATE INDEX account_memberships_by_group ON account_memberships (in_group, account);

CREATE TABLE account_setup (
    token BYTEA NOT NULL PRIMARY KEY
);
