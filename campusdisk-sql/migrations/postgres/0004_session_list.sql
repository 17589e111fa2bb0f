-- What tells an account's sessions apart: an id that is not the token's hash, and where each was begun.
ALTER TABLE account_sessions ADD COLUMN id TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE account_sessions ADD COLUMN address TEXT COLLATE "C";
ALTER TABLE account_sessions ADD COLUMN user_agent TEXT COLLATE "C" NOT NULL DEFAULT '';
-- An id has 26 digits to the base 32, the first below 8; sessions that are there get random ones.
UPDATE account_sessions SET id = '0' || substr(replace(gen_random_uuid()::text, '-', ''), 1, 25);
CREATE UNIQUE INDEX account_sessions_by_id ON account_sessions (id);
