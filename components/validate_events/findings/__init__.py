"""What the data contract found: counts, limits, warnings and their words."""
