"""Forgetting a user everywhere: the tombstone first, then each target, then a search of every file."""
