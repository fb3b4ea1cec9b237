"""The adapter by which Feast uses the packed online store."""
