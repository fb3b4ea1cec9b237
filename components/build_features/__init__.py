"""The step that computes the missing feature snapshots and lists all of them as a set."""
