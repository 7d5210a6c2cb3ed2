"""Measures search and answers over the API."""
