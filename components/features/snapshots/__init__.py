"""Views at a moment: how a run computes them, and the pool and sets of their files."""
