"""Text recognition for pictures and scanned pages."""
