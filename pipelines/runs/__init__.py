"""A run on this machine: what is new, the KFP process, the live table, what was lost and is put back."""
