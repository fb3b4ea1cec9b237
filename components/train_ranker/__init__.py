"""The step that trains the ranker on examples, or drafts a baseline if there are too few."""
