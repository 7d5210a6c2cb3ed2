"""Histories of runs: exported to the blob store, and read for what was done around the API."""
