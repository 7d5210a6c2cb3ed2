"""The catalogue: the database of record for what exists and what is live. SQLite, or PostgreSQL by URL."""
