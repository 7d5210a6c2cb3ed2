"""Readers: one module per format, each with ``read(path, name, limits, progress)``."""
