"""The journal on disk: segments that one process appends to and syncs as a group."""
