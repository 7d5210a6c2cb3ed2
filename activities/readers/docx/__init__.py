"""Reads Word documents and templates."""
