"""The catalogue: the one place that says what exists and what is live. SQLite, or PostgreSQL by URL."""
