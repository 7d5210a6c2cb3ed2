"""Attacks, one module for each kind. Hostile files that cost time and memory are in ``tests.hostile``."""
