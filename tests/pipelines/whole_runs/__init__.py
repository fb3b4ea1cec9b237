"""Whole runs of small shops, in peace and in trouble, and what they leave."""
