-- Whose store this is.
CREATE TABLE IF NOT EXISTS owner (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    installation TEXT NOT NULL
);
-- Writers that have neither committed nor given up: their pieces are leftovers once nobody writes any more.
CREATE TABLE IF NOT EXISTS writers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    begun_ms INTEGER NOT NULL
);
-- Bytes under the id of the writer that brought them: nobody sees them before a blob points there.
CREATE TABLE IF NOT EXISTS pieces (
    writer INTEGER NOT NULL,
    start INTEGER NOT NULL,
    bytes BLOB NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS pieces_by_place ON pieces (writer, start);
-- What was committed.
CREATE TABLE IF NOT EXISTS blobs (
    key TEXT PRIMARY KEY,
    writer INTEGER NOT NULL,
    len_bytes INTEGER NOT NULL
);
