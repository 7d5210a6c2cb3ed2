"""Routes of documents: upload, status, control, content."""
