"""The step that compares the newest window of data with the reference in the live bundle."""
