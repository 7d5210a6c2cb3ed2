"""Users, their sessions and keys, groups, and grants on knowledge bases."""
