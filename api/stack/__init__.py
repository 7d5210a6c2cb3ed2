"""`holdfast up`: starts and supervises the embedded platform."""
