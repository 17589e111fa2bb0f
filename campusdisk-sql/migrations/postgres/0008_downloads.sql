-- What clients downloaded. Ids begin with the time of the first byte, so the table grows at its end and is cut at its beginning.
CREATE TABLE downloads (
    id BYTEA NOT NULL PRIMARY KEY,
    node BYTEA NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    account TEXT COLLATE "C",
    share BYTEA,
    address TEXT COLLATE "C",
    started BIGINT NOT NULL,
    ended BIGINT NOT NULL,
    sent_bytes BIGINT NOT NULL,
    requests BIGINT NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL
);
CREATE INDEX downloads_by_account ON downloads (account, id) WHERE account IS NOT NULL;
CREATE INDEX downloads_by_node ON downloads (node, id);
