"""The exit handler of a run: it turns what the steps recorded into one HTML file."""
