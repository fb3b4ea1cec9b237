"""Homes that tests of whole runs share: how they are made, served, copied to a bucket and compared."""
