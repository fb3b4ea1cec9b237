"""A run on this machine: what is new, the KFP process, the live table, the closing document."""
