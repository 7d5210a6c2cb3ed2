"""Readers: one module for each format, each with ``read(path, name, limits, progress)``."""
