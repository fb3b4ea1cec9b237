"""The pipelines, the command line, and what runs and serves on this machine."""
