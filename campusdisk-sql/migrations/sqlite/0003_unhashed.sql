-- Contents whose SHA-256 is still to be found.
CREATE INDEX contents_unhashed ON contents (id) WHERE sha256 IS NULL;
