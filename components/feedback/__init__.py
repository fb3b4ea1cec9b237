"""What the service showed and what came back: kept while it serves, read by ingestion and experiments.

::

    service ─▶ sink ─▶ group_writer ─┬─▶ journal/         segments of a folder ─▶ compaction/ ─▶ table of impressions
                                     └─▶ bucket_segments  sealed objects
    reading ◀─ segments ◀────────────┘
"""
