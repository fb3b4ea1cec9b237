"""The gate: the step that decides whether a challenger may go live.

::

    held-out requests ─▶ lists of challenger, champion and baselines ─▶ checks ─▶ verdict, a sentence each
                                                     leak tests ───────▶
"""
