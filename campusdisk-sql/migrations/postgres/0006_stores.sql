-- What lies in a store, for those who move it elsewhere.
CREATE INDEX content_extents_by_store ON content_extents (store, content, len_bytes);
