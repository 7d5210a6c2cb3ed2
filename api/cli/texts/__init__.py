"""Texts of the command line in English and Chinese."""
