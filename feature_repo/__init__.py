"""The feature repository of Feast for a home, and the packed online store."""
