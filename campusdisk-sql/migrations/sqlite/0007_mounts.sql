-- Which object of a mount a blob is.
ALTER TABLE blobs ADD COLUMN object_path TEXT;
ALTER TABLE blobs ADD COLUMN object_len_bytes INTEGER;
ALTER TABLE blobs ADD COLUMN object_mark TEXT;
