"""The feature definitions: each view's columns as Ibis expressions, its schema and its version."""
