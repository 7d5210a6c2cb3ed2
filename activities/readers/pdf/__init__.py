"""PDF: the reader, the lines of a page, and its characters with their positions."""
