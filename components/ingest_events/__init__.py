"""The step that brings a shop's sources into the raw tables, each row once.

::

    sources ─▶ files ─▶ mapping to canonical columns ─▶ rows that are not known yet ─▶ raw tables
                                                        offsets of the source ──────▶ (the same commit)
"""
