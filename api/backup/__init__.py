"""Backups of a whole platform, also while it runs, and their restoration into an empty data folder."""
