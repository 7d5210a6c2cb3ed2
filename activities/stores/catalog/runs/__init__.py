"""Runs of Temporal: which histories are archived, and what was done to runs around the API."""
