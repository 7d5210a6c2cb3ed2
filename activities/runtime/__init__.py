"""Temporal integration shared by all activities: payloads, heartbeats, retries, streams and client calls."""
