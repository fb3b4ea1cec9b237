"""SQL tables as sources."""
