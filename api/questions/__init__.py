"""Routes of search and questions, and the one service that asks."""
