"""One narrow client per external service: typed, one error table, ping()."""
