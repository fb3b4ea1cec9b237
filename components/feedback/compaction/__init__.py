"""Sealed segments become rows of a Delta table, small files are joined, and old rows go."""
