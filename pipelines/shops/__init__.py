"""Shop files that come with Rankloop, and a generator of a synthetic shop."""
