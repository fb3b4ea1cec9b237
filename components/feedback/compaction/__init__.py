"""Sealed segments become rows of a Delta table, small segments and files are joined, and old rows are removed."""
