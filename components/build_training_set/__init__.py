"""The step that builds ranking examples.

::

    request times ─▶ candidates ─▶ point-in-time features ─▶ outcomes as labels ─▶ examples
    logged impressions ──────────▶ features as served ──────▶ successes as labels ─▶ the same examples
"""
