"""Shared by all routes: authentication, access, problems, languages, event streams, ranges."""
