"""What callers meet over HTTP.

::

    connections ──▶ edge: access (api_keys), admission, draining ──▶ routes ──▶ rankings, taking_events, page_routes
                                                                       └──▶ openapi

A route is declared once, as a ``Route`` in the table of ``routes``. Endpoints read ``bodies`` by ``schemas``, weigh
them by ``costs`` and refuse with ``problems``. What answers come from enters by ``live.serving`` only.
"""
