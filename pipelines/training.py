"""The training pipeline: from a shop's data to a bundle that the gate has judged."""
