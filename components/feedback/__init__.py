"""Feedback: shown lists and events, kept by the service, read by ingestion and experiments.

::

    service ─▶ sink ─▶ group_writer ─┬─▶ journal/         segments of a folder ─▶ compaction/ ─▶ table of impressions
                                     └─▶ bucket_segments  sealed objects
    reading ◀─ segments ◀────────────┘
"""
