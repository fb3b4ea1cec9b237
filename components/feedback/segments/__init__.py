"""Segments of lines, the unit that feedback is kept in: files that grow on a disk, sealed objects in a bucket."""
