"""Drift statistics of mergeable sketches.

::

    rows ─▶ sketches of a fixed size ─▶ statistics beside their limits ─▶ a report in words
"""
