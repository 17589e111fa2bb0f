-- Folders alone, which trees and pickers ask for: each sort has an index to walk.
CREATE INDEX folders_by_name ON nodes (parent, name_key) WHERE trashed_at IS NULL AND kind = 'folder';
CREATE INDEX folders_by_size ON nodes (parent, size_bytes, name_key) WHERE trashed_at IS NULL AND kind = 'folder';
CREATE INDEX folders_by_modified ON nodes (parent, modified, name_key) WHERE trashed_at IS NULL AND kind = 'folder';
