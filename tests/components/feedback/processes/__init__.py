"""Processes that write a log, and the disks that fail under them."""
