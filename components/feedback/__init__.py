"""Feedback: shown lists and events, kept by the service, read by ingestion and experiments.

::

    service ─▶ sink ─▶ group_writer ─▶ segments/ ─▶ compaction/ ─▶ table of impressions
                                           └──────▶ reading ─▶ ingestion, experiments
"""
