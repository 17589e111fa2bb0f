-- What clients downloaded. Ids begin with the time of the first byte, so the table grows at its end and is cut at its beginning.
CREATE TABLE downloads (
    id BLOB NOT NULL PRIMARY KEY,
    node BLOB NOT NULL,
    name TEXT NOT NULL,
    account TEXT,
    share BLOB,
    address TEXT,
    started INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    sent_bytes INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    outcome TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX downloads_by_account ON downloads (account, id) WHERE account IS NOT NULL;
CREATE INDEX downloads_by_node ON downloads (node, id);
