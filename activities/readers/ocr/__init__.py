"""Text recognition (OCR) for images and scanned pages."""
