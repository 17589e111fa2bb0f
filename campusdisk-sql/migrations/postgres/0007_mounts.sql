-- Which object of a mount a blob is.
ALTER TABLE blobs ADD COLUMN object_path TEXT COLLATE "C";
ALTER TABLE blobs ADD COLUMN object_len_bytes BIGINT;
ALTER TABLE blobs ADD COLUMN object_mark TEXT COLLATE "C";
