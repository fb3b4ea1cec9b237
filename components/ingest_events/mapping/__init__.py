"""From a source's columns to the canonical ones, in SQL."""
