"""Typed HTTP client; it imports the wire types and nothing of the server."""
