"""The step that computes the feature snapshots that are missing, and puts them together as a set."""
