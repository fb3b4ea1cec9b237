"""Views at a moment: what a run computes, and the pool and sets that keep the files."""
