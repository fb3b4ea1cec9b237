"""Ranking as pure functions over arrays, the same in training, in batch and in the service.

::

    user rows, item rows ─▶ candidates ─▶ ranking features of each pair ─▶ scores ─▶ lists, with reasons
"""
